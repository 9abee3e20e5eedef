import type { ControlRoomState } from '../../auth/core/caller';

/** How long a Control Room may be silent or oversubscribed before it becomes fail-safe, and then suspended. */
export interface ControlRoomStatePolicy {
  readonly graceMs: number;
  /** Counted from the start of the trouble, not from the end of the grace; never less than the grace. */
  readonly suspendAfterMs: number;
}

/** Lower bound of the grace. Heartbeats are not frequent enough to detect a shorter silence. */
const GRACE_MIN_MS = 3_000;
const RECORDED_EVERY_MS_MAX = 60_000;
const RECORDED_EVERY_MS_MIN = 1_000;
const HEARTBEAT_AFTER_MS_MAX = 300_000;

export function statePolicy(license: { graceSeconds: number; suspendAfterSeconds: number }): ControlRoomStatePolicy {
  const graceMs = Math.max(GRACE_MIN_MS, license.graceSeconds * 1_000);
  return { graceMs, suspendAfterMs: Math.max(graceMs, license.suspendAfterSeconds * 1_000) };
}

/** Interval between recorded heartbeats of one Control Room: a third of the grace, at most one minute. */
export function recordedEveryMs(graceSeconds: number): number {
  const third = (graceSeconds * 1_000) / 3;
  return Math.min(RECORDED_EVERY_MS_MAX, Math.max(RECORDED_EVERY_MS_MIN, third));
}

/** Seconds after which an idle Control Room should send its next heartbeat. */
export function heartbeatAfterSeconds(graceSeconds: number): number {
  const quarter = (graceSeconds * 1_000) / 4;
  return Math.min(HEARTBEAT_AFTER_MS_MAX, Math.max(RECORDED_EVERY_MS_MIN, quarter)) / 1_000;
}

export type TroubleReason = 'no_heartbeat' | 'oversubscribed';
export type RecoveryReason = 'heard_again' | 'within_seats_again';
export type StateChangeReason = TroubleReason | RecoveryReason;

export interface StateFacts {
  readonly state: ControlRoomState;
  /** Since the last heartbeat, less the time in which no server listened. */
  readonly silentMs: number;
  /** Since the Control Room began to hold seats beyond those sold; undefined when it holds none. */
  readonly oversubscribedMs: number | undefined;
  /** The recorded reason of the current state. */
  readonly stateReason: string;
}

export type StateVerdict =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'changed'; readonly to: ControlRoomState; readonly reason: StateChangeReason };

type Trouble = 'none' | 'beyond_grace' | 'beyond_suspension';

interface StateTransition {
  readonly from: ControlRoomState;
  readonly on: Trouble;
  readonly to: ControlRoomState;
  readonly why: string;
}

/** One step at a time, so that an observer sees every state. A pair that is not in the table changes nothing. */
export const STATE_TRANSITIONS: readonly StateTransition[] = [
  { from: 'active', on: 'beyond_grace', to: 'fail_safe', why: 'the grace is over' },
  { from: 'active', on: 'beyond_suspension', to: 'fail_safe', why: 'a Control Room is warned before it is suspended' },
  { from: 'fail_safe', on: 'beyond_suspension', to: 'suspended', why: 'the trouble lasted too long' },
  { from: 'fail_safe', on: 'none', to: 'active', why: 'the trouble is over; all rights are restored' },
  { from: 'suspended', on: 'beyond_grace', to: 'fail_safe', why: 'one trouble is over; the other is still recent' },
  { from: 'suspended', on: 'none', to: 'active', why: 'the trouble is over; all rights are restored' },
];

/** Silence and oversubscription weigh the same; the longer of the two decides. */
export function stateVerdict(facts: StateFacts, policy: ControlRoomStatePolicy): StateVerdict {
  const trouble = troubleOf(Math.max(facts.silentMs, facts.oversubscribedMs ?? 0), policy);
  const transition = STATE_TRANSITIONS.find(({ from, on }) => from === facts.state && on === trouble);
  if (!transition) return { kind: 'unchanged' };
  const reason = trouble === 'none' ? recoveryReasonOf(facts) : troubleReasonOf(facts);
  return { kind: 'changed', to: transition.to, reason };
}

function troubleOf(lastingMs: number, { graceMs, suspendAfterMs }: ControlRoomStatePolicy): Trouble {
  if (lastingMs < graceMs) return 'none';
  return lastingMs < suspendAfterMs ? 'beyond_grace' : 'beyond_suspension';
}

function troubleReasonOf({ silentMs, oversubscribedMs = 0 }: StateFacts): TroubleReason {
  return oversubscribedMs > silentMs ? 'oversubscribed' : 'no_heartbeat';
}

function recoveryReasonOf({ stateReason }: StateFacts): RecoveryReason {
  return stateReason === 'oversubscribed' ? 'within_seats_again' : 'heard_again';
}
