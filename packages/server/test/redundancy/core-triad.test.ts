import {
  TRIAD_POLICY as POLICY,
  type TriadClaim,
  type TriadFacts,
  type TriadStep,
  triadStep,
  triadVerdict,
} from '../../src/redundancy/core/triad';

const [A, B, C] = ['oregon/app-1', 'oregon/app-2', 'oregon/app-3'] as const;
const LAPSED_MS = POLICY.controlLeaseMs + POLICY.skewMs;

/** Ages of the three presences in milliseconds; undefined: never seen. */
function facts(seen: readonly (number | undefined)[], control: Partial<TriadFacts['control']> = {}): TriadFacts {
  const entries = [A, B, C].flatMap((server, index) => {
    const agoMs = seen[index];
    return agoMs === undefined ? [] : [[server, agoMs] as const];
  });
  return {
    servers: [A, B, C],
    control: { term: 5, server: A, renewedAgoMs: 100, ...control },
    seenAgoMs: new Map(entries),
    addresses: new Map([A, B, C].map((server) => [server, `http://${server}.test`])),
  };
}

const claim = (server: string, term?: number): TriadClaim => ({ server, term });
const ALL = [10, 10, 10] as const;
const GONE = POLICY.presenceMs;

describe('triadVerdict', () => {
  it.each<[string, TriadFacts, TriadClaim, string]>([
    ['grants on the server in control, with all three', facts(ALL), claim(A, 5), 'in_control'],
    ['grants with two of three', facts([10, GONE, 10]), claim(A, 5), 'in_control'],
    ['grants although the third was never present', facts([10, 10, undefined]), claim(A, 5), 'in_control'],
    ['is refused without a quorum', facts([10, GONE, GONE]), claim(A, 5), 'no_quorum'],
    ['is refused while a quorum is only possible', facts([10, undefined, undefined]), claim(A, 5), 'no_quorum'],
    ['is refused when this server is absent', facts([GONE, 10, GONE]), claim(A, 5), 'no_quorum'],
    ['is refused on another server', facts(ALL), claim(B, undefined), 'not_in_control'],
    ['is refused in an earlier term', facts(ALL, { term: 6 }), claim(A, 5), 'not_in_control'],
    ['is refused to a process without a term', facts(ALL), claim(A, undefined), 'not_in_control'],
    ['is refused after control has expired', facts(ALL, { renewedAgoMs: 3_000 }), claim(A, 5), 'not_in_control'],
    ['is refused after control was resigned', facts(ALL, { server: undefined }), claim(A, 5), 'not_in_control'],
    ['is refused on a server that is not a member', facts(ALL), claim('oregon/app-4', 5), 'license_wrong_server'],
  ])('%s', (_rule, given, by, kind) => {
    expect(triadVerdict(given, by, POLICY).kind).toBe(kind);
  });

  it('names the server in control', () => {
    expect(triadVerdict(facts(ALL), claim(B), POLICY)).toEqual({
      kind: 'not_in_control',
      inControl: A,
      address: `http://${A}.test`,
    });
  });

  it('names no server when control has expired, or is held by name only', () => {
    const lapsed = facts(ALL, { renewedAgoMs: 3_000 });
    for (const [given, by] of [
      [lapsed, B],
      [facts(ALL), A],
    ] as const)
      expect(triadVerdict(given, claim(by), POLICY)).toMatchObject({ inControl: undefined, address: undefined });
  });

  it('distinguishes a lost quorum from a pending one', () => {
    expect(triadVerdict(facts([10, GONE, GONE]), claim(A, 5), POLICY)).toEqual({
      kind: 'no_quorum',
      quorum: 'lost',
      present: [A],
      servers: [A, B, C],
    });
    expect(triadVerdict(facts([10, GONE, undefined]), claim(A, 5), POLICY)).toMatchObject({ quorum: 'pending' });
  });
});

describe('triadStep: control', () => {
  const vacant = { server: undefined, renewedAgoMs: 0 };
  it.each<[string, TriadFacts, TriadClaim, TriadStep]>([
    ['is renewed by its holder', facts(ALL), claim(A, 5), { kind: 'renew', term: 5 }],
    ['is not renewed without a quorum', facts([10, GONE, GONE]), claim(A, 5), { kind: 'wait', reason: 'no_quorum' }],
    ['is left to its holder', facts(ALL), claim(B), { kind: 'wait', reason: 'in_control_elsewhere' }],
    [
      'is not acquired right after it expires, because clocks may differ',
      facts([GONE, 10, 10], { renewedAgoMs: 3_000 }),
      claim(B),
      { kind: 'wait', reason: 'not_expired' },
    ],
    [
      'is acquired from an absent server',
      facts([GONE, 10, 10], { renewedAgoMs: LAPSED_MS }),
      claim(B),
      { kind: 'acquire', fromTerm: 5 },
    ],
    [
      'is left to the preferred server first',
      facts([GONE, 10, 10], { renewedAgoMs: LAPSED_MS }),
      claim(C),
      { kind: 'wait', reason: 'preferred_first' },
    ],
    [
      'is acquired by the next server when the preferred one does not',
      facts([GONE, 10, 10], { renewedAgoMs: LAPSED_MS + POLICY.patienceMs }),
      claim(C),
      { kind: 'acquire', fromTerm: 5 },
    ],
    [
      'is left to a preferred server that is unknown',
      facts([undefined, 10, 10], vacant),
      claim(B),
      { kind: 'wait', reason: 'preferred_first' },
    ],
    [
      'is acquired by the preferred server at once',
      facts(ALL, { ...vacant, term: 0 }),
      claim(A),
      { kind: 'acquire', fromTerm: 0 },
    ],
    [
      'is acquired at once after a resignation',
      facts([GONE, 10, 10], vacant),
      claim(B),
      { kind: 'acquire', fromTerm: 5 },
    ],
    [
      'is not acquired without a quorum',
      facts([GONE, 10, GONE], { renewedAgoMs: 60_000 }),
      claim(B),
      { kind: 'wait', reason: 'no_quorum' },
    ],
    [
      'is not taken back by the preferred server',
      facts(ALL, { server: B, term: 6 }),
      claim(A, 5),
      { kind: 'wait', reason: 'in_control_elsewhere' },
    ],
    ['is not continued by a restarted process', facts(ALL), claim(A), { kind: 'wait', reason: 'not_expired' }],
    [
      'is acquired again in a new term by a holder that let it expire',
      facts(ALL, { renewedAgoMs: LAPSED_MS }),
      claim(A, 5),
      { kind: 'acquire', fromTerm: 5 },
    ],
    [
      'is not acquired by a server that is not a member',
      facts([GONE, 10, 10], { renewedAgoMs: 60_000 }),
      claim('oregon/app-4'),
      { kind: 'wait', reason: 'not_member' },
    ],
  ])('%s', (_rule, given, by, step) => {
    expect(triadStep(given, by, POLICY)).toEqual(step);
  });
});
