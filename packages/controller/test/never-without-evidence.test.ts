import { MemoryWorld, POLICY } from '@evergrant/test-support/controller/memory-world';
import fc from 'fast-check';
import type { Reading } from '../src/core/facts';
import { sampleSpacingMinMs } from '../src/core/policy';

/** One step of a generated world: its facts, and the time until the next sample. */
interface Moment {
  readonly app: Reading;
  readonly database: 'up' | 'down' | 'unknown';
  readonly witness: Reading;
  readonly streaming: boolean;
  readonly renewed: boolean;
  readonly standby: boolean;
  readonly armed: boolean;
  readonly waitMs: number;
}

/** Mostly failures, so that failovers happen and the rules are exercised. */
const mostly = <T>(likely: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(likely) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

const moment: fc.Arbitrary<Moment> = fc.record({
  app: mostly<Reading>('down', 'up', 'unknown'),
  database: mostly<'up' | 'down' | 'unknown'>('down', 'up', 'unknown'),
  witness: mostly<Reading>('down', 'up', 'unknown'),
  streaming: mostly(false, true),
  renewed: mostly(false, true),
  standby: mostly(true, false),
  armed: mostly(true, false),
  waitMs: mostly(1_000, 50, 300, 790, 820, 3_000, 6_000),
});

interface Sample extends Moment {
  readonly atMs: number;
}

function show(world: MemoryWorld, now: Moment): void {
  world.apps.oregon = now.app;
  world.databases.oregon.alive = now.database === 'up';
  world.databaseLink.oregon = now.database === 'unknown' ? 'our-fault' : 'open';
  world.witnessReading = now.witness;
  world.databases.virginia.streaming = now.streaming;
  world.apps.virginia = now.standby ? 'up' : 'down';
  if (now.renewed) world.authority = { ...world.authority, renewedAtMs: world.nowMs };
  const state = now.armed ? 'armed' : 'paused';
  world.record = { ...world.record, automation: { state, by: 'test', reason: 'test', sinceMs: 0 } };
}

/** The rule, implemented a second time in another way: it looks back over all samples instead of counting forward. */
function wasJustified(samples: readonly Sample[], lastRenewalMs: number): boolean {
  const last = samples.at(-1);
  if (last === undefined || last.witness !== 'down' || last.streaming || !last.standby || !last.armed) return false;
  if (last.atMs - lastRenewalMs <= POLICY.authorityLeaseMs) return false;
  let count = 1;
  let countedAtMs = last.atMs;
  for (const sample of [...samples].reverse()) {
    if (sample.app !== 'down' || sample.database !== 'down' || sample.witness === 'up') break;
    if (countedAtMs - sample.atMs < sampleSpacingMinMs(POLICY)) continue;
    count += 1;
    countedAtMs = sample.atMs;
  }
  return count >= POLICY.samplesToConfirm;
}

describe('generated histories', () => {
  let failovers = 0;

  it('never fail over without a whole window of evidence', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(moment, { minLength: 5, maxLength: 40 }), async (moments) => {
        const world = new MemoryWorld();
        // Only the generated steps change this world.
        world.advanceServers = () => undefined;
        const samples: Sample[] = [];
        let lastRenewalMs = world.authority.renewedAtMs ?? 0;
        for (const now of moments) {
          show(world, now);
          if (now.renewed) lastRenewalMs = world.nowMs;
          samples.push({ ...now, atMs: world.nowMs });
          await world.cycle();
          if (world.record.operation !== undefined) break;
          world.nowMs += now.waitMs;
        }
        if (world.record.operation === undefined) return;
        failovers += 1;
        expect(wasJustified(samples, lastRenewalMs)).toBe(true);
      }),
      { numRuns: 600 },
    );
    // A property whose condition never occurs proves nothing.
    expect(failovers).toBeGreaterThan(50);
  });

  it('never fail over while one fact stays unknown, however long', async () => {
    const ways: ((world: MemoryWorld) => void)[] = [
      (world) => Object.assign(world.apps, { oregon: 'unknown' }),
      (world) => Object.assign(world.databaseLink, { oregon: 'our-fault' }),
      (world) => Object.assign(world, { witnessReading: 'unknown' }),
      (world) => Object.assign(world.apps, { virginia: 'unknown' }),
      (world) => Object.assign(world.databaseLink, { virginia: 'our-fault' }),
    ];
    for (const way of ways) {
      const world = new MemoryWorld();
      world.kill('oregon');
      way(world);
      for (let cycles = 0; cycles < 300; cycles += 1) {
        await world.cycle();
        world.pass(POLICY.sampleEveryMs);
      }
      expect(world.effects).toEqual([]);
      expect(world.alerts.length).toBeGreaterThanOrEqual(1);
      expect(world.alerts.length).toBeLessThanOrEqual(2);
    }
  });
});
