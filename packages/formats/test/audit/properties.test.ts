import {
  type ChainDraft,
  exportOf,
  type MadeLog,
  madeLog,
  verdictOn,
  verdictOnBytes,
} from '@evergrant/test-support/made-log';
import fc from 'fast-check';
import { type AuditEvent, hashOf } from '../../src/audit/event';

/** Chains with events of rising epochs, and checkpoints after some of them. */
const drafts: fc.Arbitrary<ChainDraft[]> = fc
  .uniqueArray(fc.constantFrom('system', 'pool/1', 'pool/2', 'pool/10'), { minLength: 1, maxLength: 3 })
  .chain((names) => fc.tuple(...names.map(draftOf)));

function draftOf(chain: string): fc.Arbitrary<ChainDraft> {
  return fc
    .record({
      steps: fc.array(fc.constantFrom(0, 0, 0, 1), { minLength: 1, maxLength: 12 }),
      checked: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
    })
    .map(({ steps, checked }) => {
      let epoch = 1;
      const epochs = steps.map((step) => {
        epoch += step;
        return epoch;
      });
      return { chain, epochs, checkpointsAfter: epochs.map((_, index) => index + 1).filter((seq) => checked[seq - 1]) };
    });
}

const RUNS = { numRuns: 60 };
const pick = (share: number, length: number): number => Math.min(length - 1, Math.floor(share * length));
const share = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

async function found(log: MadeLog, mutate: (log: MadeLog) => MadeLog): Promise<boolean> {
  return (await verdictOn(mutate(log))).findings.length > 0;
}

it('verifyLog: finds nothing in an unchanged log', async () => {
  await fc.assert(
    fc.asyncProperty(drafts, async (draft) => {
      const log = await madeLog(draft);
      const { findings, summary } = await verdictOn(log);
      expect(findings).toEqual([]);
      expect(summary).toMatchObject({ events: log.events.length, chains: draft.length });
    }),
    RUNS,
  );
});

it('verifyLog: finds any changed byte of an export', async () => {
  await fc.assert(
    fc.asyncProperty(drafts, share, fc.integer({ min: 1, max: 255 }), async (draft, where, change) => {
      const log = await madeLog(draft);
      const bytes = exportOf(log.events);
      const index = pick(where, bytes.length);
      bytes[index] = bytes[index]! ^ change;
      expect((await verdictOnBytes(bytes, log.statements)).findings).not.toEqual([]);
    }),
    { numRuns: 200 },
  );
});

it('verifyLog: finds a truncated export, a removed byte and an inserted byte', async () => {
  await fc.assert(
    fc.asyncProperty(drafts, share, fc.integer({ min: 0, max: 255 }), async (draft, where, added) => {
      const log = await madeLog(draft);
      const bytes = exportOf(log.events);
      const index = pick(where, bytes.length);
      const cut = bytes.subarray(0, index);
      const without = Buffer.concat([cut, bytes.subarray(index + 1)]);
      const more = Buffer.concat([cut, Buffer.from([added]), bytes.subarray(index)]);
      for (const mutated of [cut, without, more]) {
        expect((await verdictOnBytes(mutated, log.statements)).findings).not.toEqual([]);
      }
    }),
    RUNS,
  );
});

it('verifyLog: finds swapped, missing and duplicate events', async () => {
  await fc.assert(
    fc.asyncProperty(drafts, share, share, async (draft, first, second) => {
      const log = await madeLog(draft);
      const { events } = log;
      const [a, b] = [pick(first, events.length), pick(second, events.length)];
      const swapped = events.map((event, index) => (index === a ? events[b]! : index === b ? events[a]! : event));
      if (a !== b) expect(await found(log, () => ({ ...log, events: swapped }))).toBe(true);
      expect(await found(log, () => ({ ...log, events: events.filter((_, index) => index !== a) }))).toBe(true);
      const twice = [...events.slice(0, b), events[a]!, ...events.slice(b)];
      expect(await found(log, () => ({ ...log, events: twice }))).toBe(true);
    }),
    RUNS,
  );
});

it('verifyLog: finds any changed field, also when hashes were recomputed', async () => {
  const change = fc.constantFrom<(event: AuditEvent) => AuditEvent>(
    (event) => ({ ...event, epoch: event.epoch + 1 }),
    (event) => ({ ...event, at: event.at.replace('2026', '2025') }),
    (event) => ({ ...event, kind: 'lease_released' }),
    (event) => ({ ...event, actor: `${event.actor}.` }),
    (event) => ({ ...event, body: event.body.replace('"seats":1', '"seats":2') }),
    (event) => ({ ...event, previousHash: 'ab'.repeat(32) }),
    (event) => ({ ...event, hash: 'ab'.repeat(32) }),
  );
  await fc.assert(
    fc.asyncProperty(
      drafts,
      share,
      change,
      fc.constantFrom('as it is', 'hashed', 'chained'),
      async (draft, where, edit, how) => {
        const log = await madeLog(draft);
        const index = pick(where, log.events.length);
        const target = log.events[index]!;
        const events = [...log.events];
        let edited = edit(target);
        if (how !== 'as it is') edited = { ...edited, hash: hashOf(edited) };
        events[index] = edited;
        if (how === 'chained') relink(events, index);
        if (JSON.stringify(events[index]) === JSON.stringify(target)) return;
        expect(await found(log, () => ({ ...log, events }))).toBe(true);
      },
    ),
    { numRuns: 150 },
  );
});

/** Writes the rest of the chain again, as an attacker who knows the format would. */
function relink(events: AuditEvent[], from: number): void {
  for (let index = from + 1; index < events.length && events[index]!.chain === events[from]!.chain; index++) {
    const event = { ...events[index]!, previousHash: events[index - 1]!.hash };
    events[index] = { ...event, hash: hashOf(event) };
  }
}

it('verifyLog: finds missing, changed and misplaced checkpoints', async () => {
  await fc.assert(
    fc.asyncProperty(drafts, share, share, async (draft, first, second) => {
      const log = await madeLog(draft, { heads: false });
      const { statements } = log;
      if (statements.length < 2) return;
      const [a, b] = [pick(first, statements.length), pick(second, statements.length)];
      const one = statements[a]!;
      const last = !statements.some(({ chain, number }) => chain === one.chain && number! > one.number!);
      if (!last)
        expect(await found(log, () => ({ ...log, statements: statements.filter((each) => each !== one) }))).toBe(true);
      const swapped = statements.map((each, index) => (index === a ? statements[b]! : index === b ? one : each));
      if (a !== b) expect(await found(log, () => ({ ...log, statements: swapped }))).toBe(true);
      const [head, payload, signature] = one.jws.split('.') as [string, string, string];
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
      const forged = Buffer.from(JSON.stringify({ ...claims, seq: claims.seq + 1 })).toString('base64url');
      const changed = { ...one, jws: [head, forged, signature].join('.') };
      expect(
        await found(log, () => ({ ...log, statements: statements.map((each) => (each === one ? changed : each)) })),
      ).toBe(true);
    }),
    RUNS,
  );
});
