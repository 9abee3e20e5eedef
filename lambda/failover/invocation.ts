import { setTimeout as wait } from 'node:timers/promises';
import type { CycleOutcome } from './cycle';

export interface InvocationOptions {
  readonly cycle: () => Promise<CycleOutcome>;
  /** How long this invocation may still run, in milliseconds. */
  readonly remainingMs: () => number;
  readonly sampleEveryMs: number;
  /** The pace while an operation is in progress. */
  readonly stepEveryMs: number;
  /** How many samples one invocation takes; the next one is started a minute later. */
  readonly samplesMax: number;
  /** A cycle is only begun when it can end in time. */
  readonly cycleMsMax: number;
  readonly report: (outcome: CycleOutcome) => void;
}

/** Cycles until the samples are taken or the time is up: the schedule has minutes, a failure has not. */
export async function runInvocation(options: InvocationOptions): Promise<void> {
  const { cycle, remainingMs, sampleEveryMs, stepEveryMs, samplesMax, cycleMsMax, report } = options;
  let nextSampleInMs = 0;
  for (let samples = 0; samples < samplesMax && remainingMs() >= cycleMsMax; ) {
    const beforeMs = remainingMs();
    const outcome = await cycle();
    report(outcome);
    const operating = 'operating' in outcome && outcome.operating;
    // Steps do not count as samples: an operation has the whole invocation.
    if (!operating) samples += 1;
    const tookMs = beforeMs - remainingMs();
    nextSampleInMs = Math.max(0, (operating ? stepEveryMs : sampleEveryMs) - tookMs);
    if (samples < samplesMax && remainingMs() - nextSampleInMs >= cycleMsMax) await wait(nextSampleInMs);
    else return;
  }
}
