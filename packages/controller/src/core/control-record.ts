import type { Lsn } from '@evergrant/core/lsn';
import type { Region } from '@evergrant/core/regions';
import type { Alert } from './alerts';
import type { Confirmation } from './confirmation';
import type { FailbackStage, Operation, OperationReport } from './operations';
import type { AnsweredRequest, OperatorRequest } from './requests';
import type { Verdict } from './verdicts';

/** Only an armed automation fails over. `paused`: an operator paused it. `disarmed`: an operation disarmed it. */
export interface Automation {
  readonly state: 'armed' | 'paused' | 'disarmed';
  readonly by: string;
  readonly reason: string;
  readonly sinceMs: number;
}

/** A fence that could not be applied: the router was unreachable, or refused it. It is retried in every cycle. */
export interface PendingFence {
  readonly region: Region;
  /** The epoch whose opening made the fence necessary. */
  readonly epoch: number;
  readonly sinceMs: number;
  readonly lastTriedAtMs: number;
  readonly reason: string;
}

/** The present verdict: since when its key holds, and which alerts were raised for it. */
export interface VerdictState {
  readonly verdict: Verdict;
  readonly sinceMs: number;
  /** When the alert of this verdict was raised; undefined: none was needed, or not yet. */
  readonly alertedAtMs: number | undefined;
  /** An alert of this verdict or an earlier one was raised, and `all-clear` has not followed yet. */
  readonly resolvedPending: boolean;
}

/**
 * The controller's memory between cycles: one document with a version. Every write is conditional on the version that
 * was read, so of two controllers that act on the same version one gets a conflict.
 */
export interface ControlRecord {
  readonly automation: Automation;
  readonly confirmation: Confirmation | undefined;
  /** First of the consecutive samples in which the follower had no connection to the primary database. */
  readonly receiverAbsentSinceMs: number | undefined;
  /** The follower's received position in the last sample; undefined: not known, or an older record. */
  readonly followerReceivedLsn: Lsn | undefined;
  readonly verdictState: VerdictState | undefined;
  readonly operation: Operation | undefined;
  readonly lastOperation: OperationReport | undefined;
  readonly pendingFences: readonly PendingFence[];
  /**
   * True from the moment a region takes over until the other one has rejoined as its standby. Undefined in a record of
   * an earlier release: see `isRejoinPending`.
   */
  readonly rejoinPending: boolean | undefined;
  /** Completed stages of the current failback and when they completed. A failover clears it. */
  readonly failbackDoneAtMs: Readonly<Partial<Record<FailbackStage, number>>>;
  readonly request: OperatorRequest | undefined;
  readonly lastAnswer: AnsweredRequest | undefined;
  /** Recorded but perhaps not sent. The controller that recorded an alert sends it; another one does after a delay. */
  readonly unsentAlerts: readonly Alert[];
  readonly lastCycleAtMs: number | undefined;
  readonly lastCycleBy: string | undefined;
}

/** The record of a new deployment: armed. */
export function initialControl(nowMs: number): ControlRecord {
  return {
    automation: { state: 'armed', by: 'setup', reason: 'a new deployment', sinceMs: nowMs },
    confirmation: undefined,
    receiverAbsentSinceMs: undefined,
    followerReceivedLsn: undefined,
    verdictState: undefined,
    operation: undefined,
    lastOperation: undefined,
    pendingFences: [],
    rejoinPending: undefined,
    failbackDoneAtMs: {},
    request: undefined,
    lastAnswer: undefined,
    unsentAlerts: [],
    lastCycleAtMs: undefined,
    lastCycleBy: undefined,
  };
}
