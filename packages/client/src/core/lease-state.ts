import type { LeaseEventBody } from '../events';
import {
  type GracePeriodPolicy,
  type LeaseTimes,
  nextStageAtMs,
  type OutageStage,
  outageStageAt,
} from './grace-period';
import type { Grant } from './verdict';

/**
 * State machine of one lease, as a pure function: state and input give the next state, the events for the application and
 * the next request. Times are milliseconds of one monotonic clock. Times before the start of the process are negative.
 *
 * - `lost`: a server ended the lease;
 * - `released`: the holder released the lease.
 */
export type LeaseState = OutageStage | 'lost' | 'released';

export interface LeaseMachineState extends LeaseTimes {
  readonly state: LeaseState;
  readonly policy: GracePeriodPolicy;
  /** Borrowed leases send no heartbeats and end when they expire. */
  readonly borrowed: boolean;
  /** Heartbeat interval of the last grant. */
  readonly heartbeatInMs: number;
  /** Time of the next request; undefined while one is pending or none is needed. */
  readonly dueAtMs: number | undefined;
  /** The next request: a renewal, or a new checkout of the same seats after the lease ended. */
  readonly asks: 'heartbeat' | 'checkout';
  /** Code of the end that requires a new checkout. */
  readonly endedCode: string | undefined;
  /** A server answered that the license has ended. That is no outage, so no grace follows the end of the lease. */
  readonly licenseEnded?: boolean;
}

export type LeaseInput =
  /** Time has passed. */
  | { readonly kind: 'time' }
  | { readonly kind: 'granted'; readonly grant: Grant }
  /** No response, or a response that does not decide about the lease: the request is repeated. */
  | { readonly kind: 'unanswered'; readonly reason: string; readonly retryInMs: number }
  /** Rejected, possibly for a time: for example while credentials are replaced. */
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string; readonly retryInMs: number }
  /** The server ended the lease, or has no seat for the new checkout. */
  | { readonly kind: 'ended'; readonly code: string }
  /** The session of the lease was lost: the lease is renewed at another server between these times. */
  | { readonly kind: 'disconnected'; readonly notBeforeMs: number; readonly withinMs: number }
  | { readonly kind: 'released' };

export interface LeaseStep {
  readonly lease: LeaseMachineState;
  readonly events: readonly LeaseEventBody[];
  /** Request to send now. */
  readonly ask: 'heartbeat' | 'checkout' | undefined;
}

export interface StepContext {
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: number;
}

/** Heartbeats are delayed by up to a tenth of their interval, so that the leases of many clients spread out. */
const JITTER_SHARE = 0.1;
const HEARTBEAT_MS_MIN = 50;
/** Default of the license format, used until a server sends a policy. */
export const POLICY_DEFAULT: GracePeriodPolicy = { graceMs: 48 * 3_600_000, suspendAfterMs: 30 * 86_400_000 };
/** Ends by expiry or by the loss of a region allow a new checkout: no one revoked the lease. */
const REACQUIRED_AFTER: ReadonlySet<string> = new Set(['lease_expired', 'lease_not_found']);
const LICENSE_NOT_VALID = 'license_not_valid';
const BORROWED_TIME_IS_OVER = 'borrowed_time_is_over';

/** Initial state of a granted lease. */
export function grantedLease(grant: Grant, moment: StepContext): LeaseMachineState {
  return renewed(
    {
      state: 'held',
      policy: POLICY_DEFAULT,
      borrowed: false,
      heartbeatInMs: 0,
      asks: 'heartbeat',
      dueAtMs: undefined,
      endedCode: undefined,
      expiresAtMs: 0,
      confirmedAtMs: 0,
    },
    grant,
    moment,
  );
}

/** Initial state of a lease from the state file. It is renewed immediately. */
export function restoredLease(
  kept: LeaseTimes & { readonly policy: GracePeriodPolicy | undefined; readonly borrowed: boolean },
  { nowMs }: StepContext,
): LeaseMachineState {
  const { expiresAtMs, confirmedAtMs, policy = POLICY_DEFAULT, borrowed } = kept;
  const state = outageStageAt(kept, policy, nowMs);
  const dueAtMs = borrowed ? undefined : nowMs;
  return {
    state,
    policy,
    borrowed,
    heartbeatInMs: 0,
    dueAtMs,
    asks: 'heartbeat',
    endedCode: undefined,
    expiresAtMs,
    confirmedAtMs,
  };
}

export const isFinished = ({ state }: Pick<LeaseMachineState, 'state'>): boolean =>
  state === 'lost' || state === 'released';

/** Time of the next `time` input; undefined when time alone changes nothing. */
export function wakeAtMs(lease: LeaseMachineState, nowMs: number): number | undefined {
  if (isFinished(lease)) return undefined;
  const changeAtMs = nextStageAtMs(lease, lease.policy, nowMs);
  const times = [lease.dueAtMs, changeAtMs].filter((atMs) => atMs !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Applies an input. A finished lease ignores every input, for example a late response. */
export function step(lease: LeaseMachineState, input: LeaseInput, moment: StepContext): LeaseStep {
  if (isFinished(lease)) return { lease, events: [], ask: undefined };
  switch (input.kind) {
    case 'time':
      return inTime(lease, 'the lease was not renewed in time', moment);
    case 'granted':
      return afterGrant(lease, input.grant, moment);
    case 'unanswered':
      return inTime(askAgain(lease, input.retryInMs, moment), input.reason, moment);
    case 'refused': {
      const { code, detail } = input;
      const { events, ...next } = inTime(
        {
          ...askAgain(lease, input.retryInMs, moment),
          licenseEnded: lease.licenseEnded === true || code === LICENSE_NOT_VALID,
        },
        code,
        moment,
      );
      return { ...next, events: [{ kind: 'denied', code, detail }, ...events] };
    }
    case 'ended':
      return afterEnd(lease, input.code, moment);
    case 'disconnected': {
      if (lease.borrowed || lease.dueAtMs === undefined) return { lease, events: [], ask: undefined };
      const soonMs = moment.nowMs + input.notBeforeMs + moment.random * input.withinMs;
      const dueAtMs = Math.min(lease.dueAtMs, soonMs);
      return { lease: { ...lease, dueAtMs }, events: [], ask: undefined };
    }
    case 'released':
      return over(lease, 'released', { kind: 'released' });
  }
}

function afterGrant(lease: LeaseMachineState, grant: Grant, moment: StepContext): LeaseStep {
  const next = renewed(lease, grant, moment);
  const { epoch, servedBy } = grant;
  const kind = lease.state === 'held' && lease.asks === 'heartbeat' ? 'renewed' : 'restored';
  return { lease: next, events: [{ kind, epoch, servedBy }], ask: undefined };
}

function renewed(lease: LeaseMachineState, grant: Grant, { nowMs, random }: StepContext): LeaseMachineState {
  const intervalMs = Math.max(HEARTBEAT_MS_MIN, grant.heartbeatInMs * (1 + random * JITTER_SHARE));
  return {
    ...lease,
    state: 'held',
    policy: grant.policy ?? lease.policy,
    borrowed: grant.borrowed,
    heartbeatInMs: grant.heartbeatInMs,
    asks: 'heartbeat',
    dueAtMs: grant.borrowed ? undefined : nowMs + intervalMs,
    endedCode: undefined,
    licenseEnded: false,
    expiresAtMs: grant.sentAtMs + grant.expiresInMs,
    confirmedAtMs: grant.sentAtMs,
  };
}

function askAgain(lease: LeaseMachineState, retryInMs: number, { nowMs }: StepContext): LeaseMachineState {
  if (lease.borrowed) return lease;
  return { ...lease, dueAtMs: nowMs + Math.max(HEARTBEAT_MS_MIN, retryInMs) };
}

/** The first end leads to a new checkout. If that fails too, the lease is lost. */
function afterEnd(lease: LeaseMachineState, code: string, moment: StepContext): LeaseStep {
  if (lease.asks === 'checkout') {
    return over(lease, 'lost', { kind: 'lost', code: lease.endedCode ?? code });
  }
  if (lease.borrowed || !REACQUIRED_AFTER.has(code)) return over(lease, 'lost', { kind: 'lost', code });
  const next: LeaseMachineState = { ...lease, asks: 'checkout', endedCode: code, dueAtMs: moment.nowMs };
  return inTime(next, code, moment);
}

function over(lease: LeaseMachineState, state: 'lost' | 'released', events: LeaseEventBody): LeaseStep {
  return { lease: { ...lease, state, dueAtMs: undefined }, events: [events], ask: undefined };
}

const SEVERITY: Readonly<Record<OutageStage, number>> = { held: 0, grace: 1, fail_safe: 2, suspended: 3 };
const OUTAGE_STAGES: readonly Exclude<OutageStage, 'held'>[] = ['grace', 'fail_safe', 'suspended'];

/** Emits every stage that was passed, in order: a machine may have slept through several. */
function inTime(lease: LeaseMachineState, reason: string, { nowMs }: StepContext): LeaseStep {
  const outageStage = outageStageAt(lease, lease.policy, nowMs);
  const isOver = lease.licenseEnded === true && outageStage !== 'held';
  const stage = isOver ? 'suspended' : outageStage;
  if (lease.borrowed && stage !== 'held') {
    return over(lease, 'lost', { kind: 'lost', code: BORROWED_TIME_IS_OVER });
  }
  const before = SEVERITY[lease.state as OutageStage];
  const stages = isOver ? OUTAGE_STAGES.slice(-1) : OUTAGE_STAGES;
  const events = stages
    .filter((passed) => SEVERITY[passed] > before && SEVERITY[passed] <= SEVERITY[stage])
    .map((kind): LeaseEventBody => ({ kind, because: reason }));
  const due = lease.dueAtMs !== undefined && lease.dueAtMs <= nowMs;
  return {
    lease: { ...lease, state: stage, dueAtMs: due ? undefined : lease.dueAtMs },
    events,
    ask: due ? lease.asks : undefined,
  };
}
