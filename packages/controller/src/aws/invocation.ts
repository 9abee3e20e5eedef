import { setTimeout as waitInRealTime } from 'node:timers/promises';
import type { Verdict, VerdictKind } from '../core/verdicts';
import type { CycleOutcome } from '../cycle';

export interface InvocationOptions {
  readonly cycle: () => Promise<CycleOutcome>;
  /** How long this invocation may still run, in milliseconds. */
  readonly remainingMs: () => number;
  readonly sampleEveryMs: number;
  /** The pace while an operation is in progress. */
  readonly stepEveryMs: number;
  /** How many samples one invocation takes in time of peace; the next one is started about a minute later. */
  readonly samplesMax: number;
  /** How many it takes while a failover may be near: then no late start may tear the row of samples. */
  readonly samplesUrgentMax: number;
  /** A cycle is only begun when it can end in time. */
  readonly cycleMsMax: number;
  readonly report: (outcome: CycleOutcome) => void;
  /** @default real time */
  readonly wait?: (durationMs: number) => Promise<unknown>;
}

/** Cycles until the samples are taken or the time is up: the schedule has minutes, a failure has not. */
export async function runInvocation(options: InvocationOptions): Promise<void> {
  const { cycle, remainingMs, sampleEveryMs, stepEveryMs, cycleMsMax, report, wait = waitInRealTime } = options;
  let samples = 0;
  let { samplesMax } = options;
  while (remainingMs() >= cycleMsMax) {
    const beforeMs = remainingMs();
    const outcome = await cycle();
    report(outcome);
    const operating = 'operating' in outcome && outcome.operating;
    // Steps do not count as samples: an operation has the whole invocation.
    if (!operating) samples += 1;
    // A cycle that saw nothing, or was slower than another controller's, says nothing new.
    if (outcome.kind === 'watched') samplesMax = samplesFor(outcome.verdict, options);
    if (!operating && samples >= samplesMax) return;
    const tookMs = beforeMs - remainingMs();
    const pauseMs = Math.max(0, (operating ? stepEveryMs : sampleEveryMs) - tookMs);
    if (remainingMs() - pauseMs < cycleMsMax) return;
    await wait(pauseMs);
  }
}

/** What may become a failover, or waits for nothing but people. */
const URGENT: ReadonlySet<VerdictKind> = new Set(['confirming', 'hold', 'standby_not_ready', 'withheld', 'fail_over']);

function samplesFor({ kind }: Verdict, { samplesMax, samplesUrgentMax }: InvocationOptions): number {
  return URGENT.has(kind) ? samplesUrgentMax : samplesMax;
}
