import type { Lsn } from '@evergrant/core/lsn';
import type { Region } from '@evergrant/core/regions';
import type { Alert } from './alerts';
import type { Confirmation } from './confirmation';
import type { FailbackStage, Operation, OperationReport } from './operations';
import type { AnsweredRequest, OperatorRequest } from './requests';
import type { Verdict } from './verdicts';

/** Only an armed automation fails over by itself. Paused: a human's wish. Disarmed: after an operation. */
export interface Automation {
  readonly state: 'armed' | 'paused' | 'disarmed';
  readonly by: string;
  readonly reason: string;
  readonly sinceMs: number;
}

/** A fence that is still owed: the region could not be reached, or refused it. It is tried again on every cycle until confirmed. */
export interface PendingFence {
  readonly region: Region;
  /** The epoch whose opening made the fence necessary. */
  readonly epoch: number;
  readonly sinceMs: number;
  readonly lastTriedAtMs: number;
  readonly reason: string;
}

/** The standing verdict: since when its key has held, and what was told about it. */
export interface VerdictState {
  readonly verdict: Verdict;
  readonly sinceMs: number;
  /** When people were alerted of this verdict; null: it needed none, or not yet. */
  readonly alertedAtMs: number | null;
  /** People were alerted, of this verdict or an earlier one, and have not heard yet that all is well again. */
  readonly resolvedPending: boolean;
}

/**
 * All that the controller remembers between cycles, one document with a version. Every write is conditional on the
 * version that was read, so of two controllers that act on the same memory one is told to begin again.
 */
export interface ControlRecord {
  readonly automation: Automation;
  readonly confirmation: Confirmation | null;
  /** First of the unbroken row of samples in which the follower had no connection to the primary database. */
  readonly receiverAbsentSinceMs: number | null;
  /** How far the follower was last seen to have received; null or absent (an older record): not known. */
  readonly followerReceivedLsn?: Lsn | null;
  readonly verdictState: VerdictState | null;
  readonly operation: Operation | null;
  readonly lastOperation: OperationReport | null;
  readonly pendingFences: readonly PendingFence[];
  /** Stages of the current failback that are done, with the time; emptied by a failover. */
  readonly failbackDoneAtMs: Readonly<Partial<Record<FailbackStage, number>>>;
  readonly request: OperatorRequest | null;
  readonly lastAnswer: AnsweredRequest | null;
  /** Recorded but perhaps not sent: the one that recorded them sends them, and another does when it is late. */
  readonly unsentAlerts: readonly Alert[];
  readonly lastCycleAtMs: number | null;
  readonly lastCycleBy: string | null;
}

/** The record as a new world begins: armed. */
export function initialControl(nowMs: number): ControlRecord {
  return {
    automation: { state: 'armed', by: 'setup', reason: 'a new world', sinceMs: nowMs },
    confirmation: null,
    receiverAbsentSinceMs: null,
    followerReceivedLsn: null,
    verdictState: null,
    operation: null,
    lastOperation: null,
    pendingFences: [],
    failbackDoneAtMs: {},
    request: null,
    lastAnswer: null,
    unsentAlerts: [],
    lastCycleAtMs: null,
    lastCycleBy: null,
  };
}
