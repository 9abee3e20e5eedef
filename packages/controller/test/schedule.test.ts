import { Random } from '@evergrant/simulator/time/random';
import { MemoryWorld } from '@evergrant/test-support/controller/memory-world';
import { VirtualTime } from '@evergrant/test-support/controller/virtual-time';
import { runInvocation } from '../src/aws/invocation';
import { SCHEDULE } from '../src/aws/schedule';
import { DEFAULT_POLICY } from '../src/core/policy';
import { runCycle } from '../src/cycle';
import type { Ports } from '../src/ports';

const MINUTE_MS = 60_000;
const STEP_EVERY_MS = 2_000;
/** The probes' wait for a region that does not answer. */
const NO_ANSWER_MS = 3_000;
/**
 * In the worst case a region dies just after the fifth sample of one invocation, 40 s after its start, and the next
 * invocation starts as late as possible. From then on every sample counts, except samples lost at the change between
 * two invocations.
 */
const SEEN_WITHIN_MS = 119_000 - 40_000;
const CONFIRMED_WITHIN_MS = 130_000;
const ACTED_WITHIN_MS = SEEN_WITHIN_MS + CONFIRMED_WITHIN_MS;

type Offsets = (minute: number) => number;

function drawn(seed: number): Offsets {
  const random = new Random(seed);
  const offsets = Array.from({ length: 60 }, () => random.int(0, 59) * 1_000);
  return (minute) => offsets[minute % offsets.length] ?? 0;
}

const SCHEDULES: readonly { readonly name: string; readonly offsetMs: Offsets }[] = [
  { name: 'always punctual', offsetMs: () => 0 },
  { name: 'always late', offsetMs: () => 59_000 },
  { name: 'late every other time', offsetMs: (minute) => (minute % 2) * 59_000 },
  { name: 'late from the second minute on', offsetMs: (minute) => (minute < 2 ? 0 : 59_000) },
  { name: 'later and later', offsetMs: (minute) => ((minute * 20) % 60) * 1_000 },
  ...Array.from({ length: 40 }, (_, index) => ({ name: `drawn from seed ${index + 1}`, offsetMs: drawn(index + 1) })),
];

/** The controller under the schedule: each invocation starts at its own second of its minute. */
class Scheduled {
  readonly world = new MemoryWorld();
  readonly time = new VirtualTime((durationMs) => this.world.pass(durationMs));

  constructor(offsetMs: Offsets) {
    for (let minute = 0; minute < 30; minute += 1) void this.#start(minute, offsetMs(minute));
  }

  async #start(minute: number, offsetMs: number): Promise<void> {
    await this.time.wait(minute * MINUTE_MS + offsetMs);
    const endsAtMs = this.time.nowMs + SCHEDULE.invocationMsMax;
    await runInvocation({
      ...SCHEDULE,
      stepEveryMs: STEP_EVERY_MS,
      cycle: () => runCycle(this.#ports(), { controller: `controller-${minute}`, policy: DEFAULT_POLICY }),
      remainingMs: () => endsAtMs - this.time.nowMs,
      sampleEveryMs: DEFAULT_POLICY.sampleEveryMs,
      report: () => undefined,
      wait: this.time.wait,
    });
  }

  /** A dead region does not refuse connections. The probes wait for their timeout. */
  #ports(): Ports {
    const ports = this.world.ports();
    const answerOf = async (isThere: boolean): Promise<void> => {
      if (!isThere) await this.time.wait(NO_ANSWER_MS);
    };
    return {
      ...ports,
      databases: {
        ...ports.databases,
        view: async (region) => {
          await answerOf(this.world.databases[region].alive);
          return ports.databases.view(region);
        },
      },
    };
  }
}

const isLatched =
  ({ world }: Scheduled) =>
  (): boolean =>
    world.authority.epoch === 2;
const isOver =
  ({ world }: Scheduled) =>
  (): boolean =>
    world.record.operation === undefined;

describe.each(SCHEDULES)('schedule, $name', ({ name, offsetMs }) => {
  const random = new Random(name.length + offsetMs(7));

  it.each([0, 1, 2, 3])('fails over a dead region within the bound (%#)', async () => {
    const scheduled = new Scheduled(offsetMs);
    const { world, time } = scheduled;
    const diesAtMs = 2 * MINUTE_MS + random.int(0, MINUTE_MS);
    await time.run(diesAtMs);
    world.kill('oregon');
    await time.run(diesAtMs + ACTED_WITHIN_MS, isLatched(scheduled));
    expect(world.authority).toMatchObject({ epoch: 2, region: 'virginia' });
    await time.run(time.nowMs + 2 * MINUTE_MS, isOver(scheduled));
    expect(world.record.lastOperation).toMatchObject({ outcome: 'done', automatic: true });
    expect(world.alerts.map(({ code }) => code)).not.toContain('failover-abandoned');
  });

  it('never fails over a flapping region, whenever its signs of life occur', async () => {
    const { world, time } = new Scheduled(offsetMs);
    await time.run(2 * MINUTE_MS);
    while (time.nowMs < 20 * MINUTE_MS) {
      world.kill('oregon');
      await time.run(time.nowMs + random.int(60_000, 100_000));
      world.revive('oregon');
      await time.run(time.nowMs + 6_000);
    }
    expect(world.effects).toEqual([]);
  });
});
