import { setTimeout as waitInRealTime } from 'node:timers/promises';
import type { Verdict, VerdictKind } from '../core/verdicts';
import { type CycleOutcome, runCycle } from '../cycle';
import type { Ports } from '../ports';
import type { FailoverEnvironment } from './environment';
import { SCHEDULE } from './schedule';
import type { Telemetry } from './telemetry';

export interface InvocationOptions {
  readonly cycle: () => Promise<CycleOutcome>;
  /** Remaining time of this invocation, in milliseconds. */
  readonly remainingMs: () => number;
  readonly sampleEveryMs: number;
  /** Time between two cycles while an operation is in progress. */
  readonly stepEveryMs: number;
  /** Samples of one invocation during normal operation; the next one starts about a minute later. */
  readonly samplesMax: number;
  /** Samples while a failover may be near, so that a late start of the next invocation leaves no gap. */
  readonly samplesUrgentMax: number;
  /** A cycle starts only if it can end in time. */
  readonly cycleMsMax: number;
  readonly report: (outcome: CycleOutcome) => void;
  /** @default real time */
  readonly wait?: (durationMs: number) => Promise<unknown>;
}

/** Runs cycles until the samples are taken or the time is used: the schedule is too coarse for the sampling interval. */
export async function runInvocation(options: InvocationOptions): Promise<void> {
  const { cycle, remainingMs, sampleEveryMs, stepEveryMs, cycleMsMax, report, wait = waitInRealTime } = options;
  let samples = 0;
  let { samplesMax } = options;
  while (remainingMs() >= cycleMsMax) {
    const beforeMs = remainingMs();
    const outcome = await cycle();
    report(outcome);
    const operating = 'operating' in outcome && outcome.operating;
    // Steps do not count as samples: an operation uses the whole invocation.
    if (!operating) samples += 1;
    // A blind cycle, or one that conflicted, has no new verdict.
    if (outcome.kind === 'watched') samplesMax = samplesFor(outcome.verdict, options);
    if (!operating && samples >= samplesMax) return;
    const tookMs = beforeMs - remainingMs();
    const pauseMs = Math.max(0, (operating ? stepEveryMs : sampleEveryMs) - tookMs);
    if (remainingMs() - pauseMs < cycleMsMax) return;
    await wait(pauseMs);
  }
}

/** Verdicts that may become a failover, or that wait for an operator only. */
const URGENT: ReadonlySet<VerdictKind> = new Set(['confirming', 'hold', 'standby_not_ready', 'withheld', 'fail_over']);

function samplesFor({ kind }: Verdict, { samplesMax, samplesUrgentMax }: InvocationOptions): number {
  return URGENT.has(kind) ? samplesUrgentMax : samplesMax;
}

const STEP_EVERY_MS = 2_000;

/** One invocation by the schedule: cycles, their telemetry, and the heartbeat in the other region. */
export async function runScheduledInvocation(invocation: {
  environment: FailoverEnvironment;
  ports: Ports;
  telemetry: Telemetry;
  heartbeat: () => Promise<void>;
  remainingMs: () => number;
}): Promise<void> {
  const { environment, ports, telemetry, heartbeat, remainingMs } = invocation;
  const { policy, controller } = environment;
  const heartbeats: Promise<void>[] = [];
  try {
    await runInvocation({
      ...SCHEDULE,
      cycle: () => runCycle(ports, { controller, policy }),
      remainingMs,
      sampleEveryMs: policy.sampleEveryMs,
      stepEveryMs: Math.min(STEP_EVERY_MS, policy.sampleEveryMs),
      report: (outcome) => {
        telemetry.report(outcome);
        heartbeats.push(heartbeat());
      },
    });
    await Promise.all(heartbeats);
    telemetry.recordGauges((await ports.control.read()).record, ports.clock.nowMs());
  } catch (error) {
    telemetry.failed(error);
    throw error;
  } finally {
    telemetry.publish();
  }
}
