import {
  chained,
  checkpointsOf,
  drafted,
  exportOf,
  headOf,
  KEY,
  madeLog,
  verdictOn,
  verdictOnBytes,
} from '@evergrant/test-support/made-log';
import { checkpointHash, createStatementSigner } from '../../src/audit/checkpoint';
import { type AuditEvent, hashOf, lineOf, readLine } from '../../src/audit/event';
import type { StoredStatement } from '../../src/audit/statement-check';

const CHAIN = 'pool/1';
const ten = (): AuditEvent[] => drafted({ chain: CHAIN, epochs: Array(10).fill(1) });

const codes = ({ findings }: { findings: readonly { code: string; chain: string; seq: number | null }[] }) =>
  findings.map(({ code, seq }) => [code, seq]);

function replaced(events: readonly AuditEvent[], seq: number, change: Partial<AuditEvent>): AuditEvent[] {
  return events.map((event) => (event.seq === seq ? { ...event, ...change } : event));
}

describe('verifyLog: reports one change as one finding at its place', () => {
  const whole = ten();
  it.each<[string, AuditEvent[], [string, number | null][]]>([
    ['a changed body', replaced(whole, 4, { body: '{}' }), [['event_changed', 4]]],
    ['a changed hash', replaced(whole, 4, { hash: 'ab'.repeat(32) }), [['event_changed', 4]]],
    ['a changed link', replaced(whole, 4, { previousHash: 'ab'.repeat(32) }), [['event_changed', 4]]],
    [
      'an event that was replaced by a proper one',
      whole.map((event) => {
        if (event.seq !== 4) return event;
        const other = { ...event, actor: 'another' };
        return { ...other, hash: hashOf(other) };
      }),
      [['link_broken', 5]],
    ],
    ['a missing event', whole.filter(({ seq }) => seq !== 4), [['events_missing', 4]]],
    ['several missing events', whole.filter(({ seq }) => seq < 4 || seq > 7), [['events_missing', 4]]],
    ['a missing start', whole.slice(3), [['chain_headless', 1]]],
    ['a duplicate event', [...whole.slice(0, 4), whole[3]!, ...whole.slice(4)], [['event_duplicated', 4]]],
    ['a misplaced event', [...whole.slice(0, 3), whole[4]!, whole[3]!, ...whole.slice(5)], [['events_reordered', 4]]],
    ['a missing end', whole.slice(0, 7), [['chain_truncated', 8]]],
    ['a missing chain', [], [['chain_missing', 1]]],
  ])('%s', async (_what, events, expected) => {
    const statements = [...(await checkpointsOf(whole, [5, 9])), await headOf(whole[9]!)];
    const verdict = await verdictOn({ events, statements });
    expect(codes(verdict)).toEqual(expected);
    expect(verdict.findings[0]?.text).toContain(CHAIN);
  });

  it('a history that was rewritten from its first changed event on', async () => {
    const statements = [...(await checkpointsOf(whole, [3, 6, 9]))];
    const anew = chained(whole.map((event) => (event.seq === 5 ? { ...event, actor: 'another' } : event)));
    expect(codes(await verdictOn({ events: anew, statements }))).toEqual([
      ['chain_rewritten', 6],
      ['chain_rewritten', 9],
    ]);
  });

  it('a decreasing epoch', async () => {
    const events = drafted({ chain: CHAIN, epochs: [1, 2, 1, 2] });
    expect(codes(await verdictOn({ events, statements: [] }))).toEqual([['epoch_backwards', 3]]);
  });

  it('chains in the wrong order', async () => {
    const { events } = await madeLog([
      { chain: 'pool/1', epochs: [1], checkpointsAfter: [] },
      { chain: 'system', epochs: [1], checkpointsAfter: [] },
    ]);
    expect(codes(await verdictOn({ events: [...events].reverse(), statements: [] }))).toEqual([
      ['events_reordered', 1],
    ]);
  });
});

describe('readLine', () => {
  const [event] = ten() as [AuditEvent];

  it('reads what lineOf wrote', () => {
    expect(readLine(lineOf(event))).toEqual({ kind: 'event', event });
  });

  it.each([
    ['that is not JSON', 'nonsense'],
    ['that is another document', '{"events":[]}'],
    ['with an unknown field', lineOf(event).replace('{', '{"more":1,')],
    ['with other whitespace', lineOf(event).replace('{"chain"', '{ "chain"')],
    ['with another number format', lineOf(event).replace('"seq":1', '"seq":1.0')],
  ])('%s is refused', (_what, line) => {
    expect(readLine(line).kind).toBe('unreadable');
  });

  it('reports a line without a newline, with its number', async () => {
    const bytes = exportOf(ten());
    const { findings } = await verdictOnBytes(bytes.subarray(0, -1), []);
    expect(findings).toMatchObject([{ code: 'unreadable', text: expect.stringContaining('line 10 of export') }]);
  });
});

describe('verifyLog: events lost with a region', () => {
  /** Epoch 1 had eight events, all covered by checkpoints. The promoted database had six of them. */
  const before = drafted({ chain: CHAIN, epochs: Array(8).fill(1) });
  let checkpoints: StoredStatement[];

  beforeAll(async () => {
    checkpoints = await checkpointsOf(before, [4, 7, 8]);
  });

  interface GapDraft {
    readonly lastSeq?: number;
    readonly checkpointSeq?: number;
    readonly checkpoint?: string;
    readonly hash?: string;
  }

  /** The events of epoch 2 after the sixth event of epoch 1, beginning with the declaration. */
  function afterwards(gap: GapDraft | undefined, epoch = 2): AuditEvent[] {
    const { lastSeq = 6, checkpointSeq = 8, checkpoint = checkpoints.at(-1)!.jws, hash = before[7]!.hash } = gap ?? {};
    const body = JSON.stringify({
      chain: CHAIN,
      epoch: 1,
      era: 1,
      lastSeq,
      checkpointSeq,
      checkpointHash: hash,
      checkpoint,
    });
    const kept = before.slice(0, 6);
    const declared = gap ? [{ ...kept[5]!, seq: 7, epoch, era: epoch, kind: 'audit_gap', body }] : [];
    const more = [7, 8, 9, 10]
      .slice(declared.length)
      .map((seq) => ({ ...kept[5]!, seq, epoch, era: epoch, actor: 'virginia' }));
    return chained([...kept, ...declared, ...more]);
  }

  async function verdict(events: readonly AuditEvent[]) {
    const later = await checkpointsOf(events, [10], checkpoints);
    return verdictOn({ events, statements: [...checkpoints, ...later, await headOf(events.at(-1)!)] });
  }

  it('lists an unknown tail without a finding, and refuses one that is not of an earlier epoch', async () => {
    const tail = (epoch: number) =>
      JSON.stringify({ tailUnknownSince: '2026-11-22T12:00:00.000000Z', epoch, possibleLoss: 'escrow' });
    const declaring = (epoch: number) =>
      chained([{ ...before[0]!, chain: 'system', epoch: 2, kind: 'audit_gap', body: tail(epoch) }]);
    const { findings, summary } = await verdictOn({ events: declaring(1), statements: [] });
    expect(findings).toEqual([]);
    expect(summary.unknownTails).toEqual([{ epoch: 1, since: '2026-11-22T12:00:00.000000Z' }]);
    const refused = await verdictOn({ events: declaring(2), statements: [] });
    expect(refused.findings.map(({ code }) => code)).toContain('loss_misdeclared');
  });

  it('lists a declared loss without a finding', async () => {
    const { findings, summary } = await verdict(afterwards({}));
    expect(findings).toEqual([]);
    expect(summary.declaredLosses).toEqual([{ chain: CHAIN, epoch: 1, lastSeq: 6, checkpointSeq: 8 }]);
  });

  it('reports an undeclared loss', async () => {
    expect(codes(await verdict(afterwards(undefined)))).toEqual([['loss_undeclared', 7]]);
  });

  it('reports a truncation when no later epoch exists', async () => {
    expect(codes(await verdictOn({ events: before.slice(0, 6), statements: checkpoints }))).toEqual([
      ['chain_truncated', 7],
    ]);
  });

  it.each<[string, () => GapDraft]>([
    ['that covers too few events', () => ({ lastSeq: 7 })],
    ['that covers too many events', () => ({ lastSeq: 5 })],
    ['with an invalid signature', () => ({ checkpoint: checkpoints[2]!.jws.replace(/.{4}$/, 'AAAA') })],
    ['with another checkpoint', () => ({ checkpointSeq: 9 })],
    [
      'by a checkpoint of a lower event',
      () => ({ checkpoint: checkpoints[1]!.jws, checkpointSeq: 7, hash: before[6]!.hash }),
    ],
  ])('and is declared %s is a finding', async (_what, gap) => {
    const found = codes(await verdict(afterwards(gap()))).map(([code]) => code);
    expect(found).toContain('loss_undeclared');
  });

  it('reports a declaration in the same epoch', async () => {
    const events = afterwards({}, 1);
    expect((await verdict(events)).findings).not.toEqual([]);
  });

  it('reports a declared loss of present events', async () => {
    const checkpoint = checkpoints.at(-1)!.jws;
    const body = JSON.stringify({
      chain: CHAIN,
      epoch: 1,
      era: 1,
      lastSeq: 8,
      checkpointSeq: 8,
      checkpointHash: before[7]!.hash,
      checkpoint,
    });
    const events = chained([...before, { ...before[7]!, seq: 9, epoch: 2, kind: 'audit_gap', body }]);
    expect(codes(await verdictOn({ events, statements: checkpoints }))).toEqual([['loss_misdeclared', 9]]);
  });

  it('accepts the declared loss of a whole chain', async () => {
    const checkpoint = checkpoints.at(-1)!.jws;
    const body = JSON.stringify({
      chain: CHAIN,
      epoch: 1,
      era: 1,
      lastSeq: 0,
      checkpointSeq: 8,
      checkpointHash: before[7]!.hash,
      checkpoint,
    });
    const system = chained([{ ...before[0]!, chain: 'system', epoch: 2, kind: 'audit_gap', body }]);
    const { findings, summary } = await verdictOn({ events: system, statements: checkpoints });
    expect(findings).toEqual([]);
    expect(summary.declaredLosses).toMatchObject([{ chain: CHAIN, lastSeq: 0 }]);
  });
});

describe('verifyLog: checkpoints', () => {
  const whole = ten();

  it('reports an unknown key and a missing key as forged', async () => {
    const signer = await createStatementSigner([{ ...KEY, kid: 'unknown' }]);
    const { seq, epoch, era, hash } = whole[2]!;
    const claims = {
      chain: CHAIN,
      seq,
      epoch,
      era,
      hash,
      region: 'r',
      server: 's',
      at: 'now',
      number: 1,
      previous: null,
    };
    for (const jws of [await signer.signCheckpoint(claims), 'nonsense', '']) {
      const statements = [{ chain: CHAIN, number: 1, jws }];
      expect(codes(await verdictOn({ events: whole, statements }))).toEqual([['checkpoint_forged', null]]);
    }
  });

  it('reports other signed documents as forged', async () => {
    const [checkpoint] = await checkpointsOf(whole, [3]);
    const head = await headOf(whole[2]!);
    for (const stored of [
      { ...head, number: 1 },
      { ...checkpoint!, number: 2 },
      { ...checkpoint!, chain: 'pool/2' },
    ]) {
      expect(codes(await verdictOn({ events: whole, statements: [stored] }))).toContainEqual([
        'checkpoint_forged',
        null,
      ]);
    }
  });

  it('reports a missing number, including the first', async () => {
    const [, second, third, fourth] = await checkpointsOf(whole, [2, 4, 6, 8]);
    expect(codes(await verdictOn({ events: whole, statements: [second!, fourth!] }))).toEqual([
      ['checkpoint_missing', 4],
      ['checkpoint_missing', 8],
    ]);
    // A checkpoint of the same number, signed with the right key: the next checkpoint does not continue it.
    const [other] = await checkpointsOf(whole, [5], [second!]);
    expect(
      codes(
        await verdictOn({
          events: whole,
          statements: [...(await checkpointsOf(whole, [2])), second!, other!, fourth!],
        }),
      ),
    ).toContainEqual(['checkpoint_missing', 8]);
    expect(third).toBeDefined();
  });

  it('reports checkpoints that go back within an epoch', async () => {
    const first = await checkpointsOf(whole, [8]);
    const second = await checkpointsOf(whole, [6], first);
    expect(codes(await verdictOn({ events: whole, statements: [...first, ...second] }))).toEqual([
      ['checkpoint_reordered', 6],
    ]);
  });

  it('reports events that wait too long for a checkpoint', async () => {
    const statements = await checkpointsOf(whole, [6]);
    const nowMs = Date.parse(whole[9]!.at);
    const late = await verdictOn({ events: whole, statements }, { overdue: { nowMs, afterMs: 1_000 } });
    expect(codes(late)).toEqual([['checkpoint_overdue', 7]]);
    const inTime = await verdictOn({ events: whole, statements }, { overdue: { nowMs, afterMs: 60_000 } });
    expect(inTime.findings).toEqual([]);
    expect(inTime.summary.unproven).toEqual([{ chain: CHAIN, firstSeq: 7, lastSeq: 10, since: whole[6]!.at }]);
  });

  it('links each checkpoint to the previous one', async () => {
    const [first, second] = await checkpointsOf(whole, [2, 4]);
    const claims = JSON.parse(Buffer.from(second!.jws.split('.')[1]!, 'base64url').toString());
    expect(claims).toMatchObject({
      number: 2,
      previous: checkpointHash(first!.jws),
      chain: CHAIN,
      seq: 4,
      hash: whole[3]!.hash,
    });
  });
});

it('verifyLog: accepts a section that starts and ends anywhere, and applies the other checks', async () => {
  const whole = ten();
  const statements = [...(await checkpointsOf(whole, [2, 5, 9])), await headOf(whole[9]!)];
  const section = whole.slice(3, 7);
  expect((await verdictOn({ events: section, statements }, { whole: false })).findings).toEqual([]);
  const changed = replaced(section, 5, { actor: 'another' });
  expect(codes(await verdictOn({ events: changed, statements }, { whole: false }))).toEqual([['event_changed', 5]]);
});
