import type { DrillReport } from '@evergrant/drills/report';
import { runDrill } from '@evergrant/drills/run';
import { regionLoss } from '@evergrant/drills/scenarios/region-loss';
import { PROFILE_DURATIONS, type Profile } from '@evergrant/local-cluster/profiles';
import { median } from './summary';

/** The stretches between the loss of Oregon and the first grant of Virginia, in their order. */
export const PARTS = ['notice', 'confirm', 'drain', 'promote', 'open', 'switch', 'ask'] as const;
export type Part = (typeof PARTS)[number];

export const PART_MEANS: Readonly<Record<Part, string>> = {
  notice: 'to the first sample in which application and database are down',
  confirm: "to the last required sample; Oregon's proofs of authority expire during it",
  drain: 'latch and fence, until the follower has replayed what it received',
  promote: 'the follower becomes the primary database, and a write succeeds',
  open: 'what is left of the lapse, until a server has opened the epoch',
  switch: 'until the public address leads to Virginia, seen from outside',
  ask: 'until a Control Room that asked in vain asks again, and has a lease in hand',
};

/** What ends each part, in the words of a drill's timeline. */
const ENDS: Readonly<Record<Part, RegExp>> = {
  notice: /^detected: /,
  confirm: /^failover started/,
  drain: /^failover: drain done/,
  promote: /^failover: verify done/,
  open: /^failover: open done/,
  switch: /^failover: switch done/,
  ask: /^first grant of virginia/,
};

export interface Failover {
  /** From the loss of the region to the first grant that somebody has in hand. */
  readonly firstGrantMs: number;
  readonly partsMs: Readonly<Record<Part, number>>;
  /** Promises that did not hold, and what kept the drill from its end. */
  readonly broken: readonly string[];
}

export interface FailoverSummary {
  readonly failovers: readonly Failover[];
  readonly firstGrantMs: number;
  readonly partsMs: Readonly<Record<Part, number>>;
  /** The waits that are there on purpose, of the drills and of production. */
  readonly waitsMs: Readonly<Record<Profile, Readonly<Record<Part, number>>>>;
}

/** Loses Oregon so many times, each time in a fresh world at the drills' pace. */
export async function measureFailovers(count: number, print: (line: string) => void): Promise<FailoverSummary> {
  const failovers: Failover[] = [];
  for (let number = 1; number <= count; number += 1) {
    const drill = { seed: number, busyRooms: 12, steadyRooms: 4, print: () => undefined };
    const failover = failoverOf(await runDrill(regionLoss, drill));
    failovers.push(failover);
    print(`failover ${number}: first grant after ${(failover.firstGrantMs / 1000).toFixed(2)} s`);
  }
  return summariseFailovers(failovers);
}

export function failoverOf({ timeline, recoveryTimeMs, promises, broken }: DrillReport): Failover {
  let beganMs = 0;
  const partsMs = partsFrom((part) => {
    const markedMs = timeline.find(({ what }) => ENDS[part].test(what))?.afterFaultMs ?? Number.NaN;
    // A grant may arrive before the switch is confirmed.
    const endedMs = Math.min(markedMs, recoveryTimeMs ?? Number.NaN);
    const tookMs = endedMs - beganMs;
    beganMs = endedMs;
    return tookMs;
  });
  const failed = promises.filter(({ held }) => !held).map(({ promise, detail }) => `${promise} (${detail})`);
  return {
    firstGrantMs: recoveryTimeMs ?? Number.NaN,
    partsMs,
    broken: broken === undefined ? failed : [...failed, broken],
  };
}

export function summariseFailovers(failovers: readonly Failover[]): FailoverSummary {
  return {
    failovers,
    firstGrantMs: median(failovers.map(({ firstGrantMs }) => firstGrantMs)),
    partsMs: partsFrom((part) => median(failovers.map(({ partsMs }) => partsMs[part]))),
    waitsMs: { fast: waitsOf('fast'), default: waitsOf('default') },
  };
}

/**
 * The longest wait of each part when nothing is slow: for the next sample; for all samples or the end of the last proof
 * of authority, whichever is later; and for the clock skew. The rest is work.
 */
function waitsOf(profile: Profile): Record<Part, number> {
  const { samplesToConfirm, sampleEveryMs, authorityLeaseMs, skewMs } = PROFILE_DURATIONS[profile].policy;
  const samplesMs = (samplesToConfirm - 1) * sampleEveryMs;
  const confirm = Math.max(samplesMs, authorityLeaseMs);
  const waits: Partial<Record<Part, number>> = {
    notice: sampleEveryMs,
    confirm,
    open: Math.max(0, authorityLeaseMs + skewMs - confirm),
  };
  return partsFrom((part) => waits[part] ?? 0);
}

function partsFrom(msOf: (part: Part) => number): Record<Part, number> {
  return Object.fromEntries(PARTS.map((part) => [part, msOf(part)])) as Record<Part, number>;
}
