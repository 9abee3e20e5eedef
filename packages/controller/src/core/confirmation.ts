import type { Facts } from './facts';
import { type Policy, sampleSpacingMinMs } from './policy';

/** The unbroken row of samples in which application and database were both down. Times are milliseconds since 1970. */
export interface Confirmation {
  readonly count: number;
  readonly sinceMs: number;
  readonly lastSampleAtMs: number;
  /** This row was begun because the one before it was broken by a sign of life, seen by others than our probes. */
  readonly livedBefore: boolean;
}

export interface Sample {
  readonly facts: Facts;
  readonly atMs: number;
  /** Latest sign of life of the region, from whichever witness; null: none known. */
  readonly lastSignOfLifeAtMs: number | null;
}

/**
 * Adds one sample to the row. Every sample of the row says "both down", so anything else ends it, an unknown too: it
 * is no evidence. A sign of life inside the row begins it again: a region that lived in between was not dead all along.
 */
export function confirm(previous: Confirmation | null, sample: Sample, policy: Policy): Confirmation | null {
  const { facts, atMs } = sample;
  if (facts.app.reading !== 'down' || facts.database.reading !== 'down') return null;
  if (facts.witness.reading === 'up') return null;
  const first = { count: 1, sinceMs: atMs, lastSampleAtMs: atMs, livedBefore: false };
  if (previous === null) return first;
  const gapMs = atMs - previous.lastSampleAtMs;
  if (Math.abs(gapMs) > policy.sampleGapMaxMs) return first;
  if (sample.lastSignOfLifeAtMs !== null && sample.lastSignOfLifeAtMs > previous.sinceMs) {
    return { ...first, livedBefore: true };
  }
  // Two controllers, or a replay, look almost at once: that is one look.
  if (gapMs < sampleSpacingMinMs(policy)) return previous;
  return { ...previous, count: previous.count + 1, lastSampleAtMs: atMs };
}
