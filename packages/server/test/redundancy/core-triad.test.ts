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

describe('a transaction', () => {
  it.each<[string, TriadFacts, TriadClaim, string]>([
    ['grants on the server in control, with all three', facts(ALL), claim(A, 5), 'in_control'],
    ['grants with two of three', facts([10, GONE, 10]), claim(A, 5), 'in_control'],
    ['grants though the third has never been seen', facts([10, 10, undefined]), claim(A, 5), 'in_control'],
    ['is refused without a quorum', facts([10, GONE, GONE]), claim(A, 5), 'no_quorum'],
    ['is refused while a quorum is only possible', facts([10, undefined, undefined]), claim(A, 5), 'no_quorum'],
    ['is refused when this very server has fallen silent', facts([GONE, 10, GONE]), claim(A, 5), 'no_quorum'],
    ['is refused on another server', facts(ALL), claim(B, undefined), 'not_in_control'],
    ['is refused in an earlier term', facts(ALL, { term: 6 }), claim(A, 5), 'not_in_control'],
    ['is refused to a process that has taken no term', facts(ALL), claim(A, undefined), 'not_in_control'],
    ['is refused once control has lapsed', facts(ALL, { renewedAgoMs: 3_000 }), claim(A, 5), 'not_in_control'],
    ['is refused after control was given up', facts(ALL, { server: undefined }), claim(A, 5), 'not_in_control'],
    ['is refused on a server that is not named', facts(ALL), claim('oregon/app-4', 5), 'license_wrong_server'],
  ])('%s', (_rule, given, by, kind) => {
    expect(triadVerdict(given, by, POLICY).kind).toBe(kind);
  });

  it('names who is in control', () => {
    expect(triadVerdict(facts(ALL), claim(B), POLICY)).toEqual({
      kind: 'not_in_control',
      inControl: A,
      address: `http://${A}.test`,
    });
  });

  it('names nobody when control has lapsed, or is this server’s by name only', () => {
    const lapsed = facts(ALL, { renewedAgoMs: 3_000 });
    for (const [given, by] of [
      [lapsed, B],
      [facts(ALL), A],
    ] as const)
      expect(triadVerdict(given, claim(by), POLICY)).toMatchObject({ inControl: undefined, address: undefined });
  });

  it('tells a lost quorum from one that may yet be', () => {
    expect(triadVerdict(facts([10, GONE, GONE]), claim(A, 5), POLICY)).toEqual({
      kind: 'no_quorum',
      quorum: 'lost',
      present: [A],
      servers: [A, B, C],
    });
    expect(triadVerdict(facts([10, GONE, undefined]), claim(A, 5), POLICY)).toMatchObject({ quorum: 'pending' });
  });
});

describe('control', () => {
  const vacant = { server: undefined, renewedAgoMs: 0 };
  it.each<[string, TriadFacts, TriadClaim, TriadStep]>([
    ['is kept by who has it', facts(ALL), claim(A, 5), { kind: 'renew', term: 5 }],
    ['is not kept without a quorum', facts([10, GONE, GONE]), claim(A, 5), { kind: 'wait', reason: 'no_quorum' }],
    ['is left to who has it', facts(ALL), claim(B), { kind: 'wait', reason: 'in_control_elsewhere' }],
    [
      'is not taken the moment it lapses: clocks may differ',
      facts([GONE, 10, 10], { renewedAgoMs: 3_000 }),
      claim(B),
      { kind: 'wait', reason: 'not_expired' },
    ],
    [
      'is taken from a server that is gone',
      facts([GONE, 10, 10], { renewedAgoMs: LAPSED_MS }),
      claim(B),
      { kind: 'acquire', fromTerm: 5 },
    ],
    [
      'is left to the preferred one at first',
      facts([GONE, 10, 10], { renewedAgoMs: LAPSED_MS }),
      claim(C),
      { kind: 'wait', reason: 'preferred_first' },
    ],
    [
      'is taken by the next when the preferred one does not take it',
      facts([GONE, 10, 10], { renewedAgoMs: LAPSED_MS + POLICY.patienceMs }),
      claim(C),
      { kind: 'acquire', fromTerm: 5 },
    ],
    [
      'is left to a preferred one that is not known yet',
      facts([undefined, 10, 10], vacant),
      claim(B),
      { kind: 'wait', reason: 'preferred_first' },
    ],
    [
      'is taken by the preferred one at once',
      facts(ALL, { ...vacant, term: 0 }),
      claim(A),
      { kind: 'acquire', fromTerm: 0 },
    ],
    ['is taken at once after a farewell', facts([GONE, 10, 10], vacant), claim(B), { kind: 'acquire', fromTerm: 5 }],
    [
      'is not taken without a quorum',
      facts([GONE, 10, GONE], { renewedAgoMs: 60_000 }),
      claim(B),
      { kind: 'wait', reason: 'no_quorum' },
    ],
    [
      'is not taken back by the preferred one',
      facts(ALL, { server: B, term: 6 }),
      claim(A, 5),
      { kind: 'wait', reason: 'in_control_elsewhere' },
    ],
    [
      'is not simply gone on with by a process that was started again',
      facts(ALL),
      claim(A),
      { kind: 'wait', reason: 'not_expired' },
    ],
    [
      'is taken anew, in a new term, by who has let it lapse',
      facts(ALL, { renewedAgoMs: LAPSED_MS }),
      claim(A, 5),
      { kind: 'acquire', fromTerm: 5 },
    ],
    [
      'is not taken by a server that is not named',
      facts([GONE, 10, 10], { renewedAgoMs: 60_000 }),
      claim('oregon/app-4'),
      { kind: 'wait', reason: 'not_member' },
    ],
  ])('%s', (_rule, given, by, step) => {
    expect(triadStep(given, by, POLICY)).toEqual(step);
  });
});
