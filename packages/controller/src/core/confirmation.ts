import type { Facts } from './facts';
import { type Policy, sampleSpacingMinMs } from './policy';

/** The consecutive samples in which application and database were both down. Times are milliseconds since 1970. */
export interface Confirmation {
  readonly count: number;
  readonly sinceMs: number;
  readonly lastSampleAtMs: number;
  /** A sign of life ended the confirmation before this one. It was found by other evidence than the controller's probes. */
  readonly livedBefore: boolean;
}

export interface Sample {
  readonly facts: Facts;
  readonly atMs: number;
  /** Latest sign of life of the region from any source; undefined: none known. */
  readonly lastSignOfLifeAtMs: number | undefined;
}

/**
 * Adds one sample to the confirmation. Every sample must find both down: any other reading ends the confirmation, also
 * `unknown`, because it is no evidence. A sign of life after the first sample restarts it: the region was alive in between.
 */
export function confirm(previous: Confirmation | undefined, sample: Sample, policy: Policy): Confirmation | undefined {
  const { facts, atMs } = sample;
  if (facts.app.reading !== 'down' || facts.database.reading !== 'down') return undefined;
  if (facts.witness.reading === 'up') return undefined;
  const first = { count: 1, sinceMs: atMs, lastSampleAtMs: atMs, livedBefore: false };
  if (previous === undefined) return first;
  const gapMs = atMs - previous.lastSampleAtMs;
  if (Math.abs(gapMs) > policy.sampleGapMaxMs) return first;
  if (sample.lastSignOfLifeAtMs !== undefined && sample.lastSignOfLifeAtMs > previous.sinceMs) {
    return { ...first, livedBefore: true };
  }
  // Two controllers, or a replay, sample at almost the same time: that counts as one sample.
  if (gapMs < sampleSpacingMinMs(policy)) return previous;
  return { ...previous, count: previous.count + 1, lastSampleAtMs: atMs };
}
