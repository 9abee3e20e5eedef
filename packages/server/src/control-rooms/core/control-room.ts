import type { ControlRoomState } from '../../auth/core/caller';

/** How long a Control Room may be unreachable: without limits, then without new checkouts, then not at all. */
export interface StandingPolicy {
  readonly graceMs: number;
  /** Counted from the beginning of the trouble, not from the end of the grace; never less than the grace. */
  readonly suspendAfterMs: number;
}

/** Silence shorter than this is no silence, whatever the license says: nobody can be heard more often. */
const GRACE_MIN_MS = 3_000;
const RECORDED_EVERY_MS_MAX = 60_000;
const RECORDED_EVERY_MS_MIN = 1_000;
const HEARTBEAT_AFTER_MS_MAX = 300_000;

export function standingPolicy(license: { graceSeconds: number; suspendAfterSeconds: number }): StandingPolicy {
  const graceMs = Math.max(GRACE_MIN_MS, license.graceSeconds * 1_000);
  return { graceMs, suspendAfterMs: Math.max(graceMs, license.suspendAfterSeconds * 1_000) };
}

/** How often its being alive is written down: at most once a minute, and thrice within a short grace. */
export function recordedEveryMs(graceSeconds: number): number {
  const third = (graceSeconds * 1_000) / 3;
  return Math.min(RECORDED_EVERY_MS_MAX, Math.max(RECORDED_EVERY_MS_MIN, third));
}

/** When a Control Room with nothing else to say should say that it lives. */
export function heartbeatAfterSeconds(graceSeconds: number): number {
  const quarter = (graceSeconds * 1_000) / 4;
  return Math.min(HEARTBEAT_AFTER_MS_MAX, Math.max(RECORDED_EVERY_MS_MIN, quarter)) / 1_000;
}

export type Cause = 'no_heartbeat' | 'oversubscribed';
export type Relief = 'heard_again' | 'within_seats_again';

export interface StandingFacts {
  readonly state: ControlRoomState;
  /** Since it was last heard from, less the time in which nobody listened. */
  readonly silentMs: number;
  /** Since it began to hold seats beyond those sold; undefined: it does not. */
  readonly oversubscribedMs: number | undefined;
  /** What brought it into its state, as it was written down then. */
  readonly because: string;
}

export type StandingVerdict =
  | { readonly kind: 'stays' }
  | { readonly kind: 'moves'; readonly to: ControlRoomState; readonly because: Cause | Relief };

type Trouble = 'none' | 'beyond_grace' | 'beyond_suspension';

interface Transition {
  readonly from: ControlRoomState;
  readonly on: Trouble;
  readonly to: ControlRoomState;
  readonly why: string;
}

/** One step at a time, so that whoever watches sees each. What is not in the table stays. */
export const TRANSITIONS: readonly Transition[] = [
  { from: 'active', on: 'beyond_grace', to: 'fail_safe', why: 'the grace is over' },
  { from: 'active', on: 'beyond_suspension', to: 'fail_safe', why: 'nobody is suspended who was not warned' },
  { from: 'fail_safe', on: 'beyond_suspension', to: 'suspended', why: 'the trouble lasted too long' },
  { from: 'fail_safe', on: 'none', to: 'active', why: 'what it had, it has again' },
  { from: 'suspended', on: 'beyond_grace', to: 'fail_safe', why: 'it is heard, but still holds too much' },
  { from: 'suspended', on: 'none', to: 'active', why: 'what it had, it has again' },
];

/** Silence and too many seats weigh alike; the longer trouble decides. Moves at most one step. */
export function standingVerdict(facts: StandingFacts, policy: StandingPolicy): StandingVerdict {
  const trouble = troubleOf(Math.max(facts.silentMs, facts.oversubscribedMs ?? 0), policy);
  const transition = TRANSITIONS.find(({ from, on }) => from === facts.state && on === trouble);
  if (!transition) return { kind: 'stays' };
  return { kind: 'moves', to: transition.to, because: trouble === 'none' ? reliefOf(facts) : causeOf(facts) };
}

function troubleOf(lastingMs: number, { graceMs, suspendAfterMs }: StandingPolicy): Trouble {
  if (lastingMs < graceMs) return 'none';
  return lastingMs < suspendAfterMs ? 'beyond_grace' : 'beyond_suspension';
}

function causeOf({ silentMs, oversubscribedMs = 0 }: StandingFacts): Cause {
  return oversubscribedMs > silentMs ? 'oversubscribed' : 'no_heartbeat';
}

function reliefOf({ because }: StandingFacts): Relief {
  return because === 'oversubscribed' ? 'within_seats_again' : 'heard_again';
}
