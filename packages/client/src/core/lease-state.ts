import type { LeaseEventBody } from '../events';
import { type LeaseTimes, nextStageAtMs, type OutagePolicy, type OutageStage, outageStageAt } from './grace-period';
import type { Grant } from './verdict';

/**
 * The machine of one lease, as a pure function: what it is now, what has happened to it, and so what it is next, what the
 * host is told and what is to be asked for. It reads no clock and draws no random number. Times are milliseconds of one
 * monotonic clock; they may be negative, when they lie before the start of the process.
 *
 * - `lost`: a server said definitively that it is no more;
 * - `released`: given back by the holder.
 */
export type LeaseState = OutageStage | 'lost' | 'released';

export interface LeaseMachineState extends LeaseTimes {
  readonly state: LeaseState;
  readonly policy: OutagePolicy;
  /** It needs no heartbeats, and ends when its time is over. */
  readonly borrowed: boolean;
  /** The interval that the server asked for last. */
  readonly heartbeatInMs: number;
  /** When the next question is due; undefined while one is under way or when none is left to ask. */
  readonly dueAtMs: number | undefined;
  /** What is asked: to renew it, or, since it has ended meanwhile, for the same seats anew. */
  readonly asks: 'heartbeat' | 'checkout';
  /** Why it has to be asked for anew. */
  readonly endedCode: string | undefined;
}

export type LeaseInput =
  /** Time has passed. */
  | { readonly kind: 'time' }
  | { readonly kind: 'granted'; readonly grant: Grant }
  /** Nobody answered, or what was answered says nothing about the lease: to be asked again in so long. */
  | { readonly kind: 'unanswered'; readonly because: string; readonly retryInMs: number }
  /** Refused in a way that may pass: perhaps the credentials are being renewed. */
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string; readonly retryInMs: number }
  /** The server says that the lease is no more, or, while it is asked for anew, that there is no seat. */
  | { readonly kind: 'ended'; readonly code: string }
  /** The connection that it was held over is gone: another server should hear of it, not before and soon after. */
  | { readonly kind: 'disconnected'; readonly notBeforeMs: number; readonly withinMs: number }
  | { readonly kind: 'released' };

export interface LeaseStep {
  readonly lease: LeaseMachineState;
  readonly told: readonly LeaseEventBody[];
  /** To be asked now. */
  readonly ask: 'heartbeat' | 'checkout' | undefined;
}

export interface StepContext {
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: number;
}

/** Heartbeats are sent up to a tenth of their interval later than the server allows, so that leases drift apart. */
const JITTER_SHARE = 0.1;
const HEARTBEAT_MS_MIN = 50;
/** When the server never said: the license's usual defaults. */
export const POLICY_DEFAULT: OutagePolicy = { graceMs: 48 * 3_600_000, suspendAfterMs: 30 * 86_400_000 };
/** What ended by time or by the loss of a region may be taken anew: nobody has decided against its holder. */
const REACQUIRED_AFTER: ReadonlySet<string> = new Set(['lease_expired', 'lease_not_found']);
const BORROWED_TIME_IS_OVER = 'borrowed_time_is_over';

/** A lease that has just been granted. */
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

/** A lease of an earlier life of the installation. It is shown to a server at once, as soon as there is one. */
export function restoredLease(
  kept: LeaseTimes & { readonly policy: OutagePolicy | undefined; readonly borrowed: boolean },
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

/** When `time` has to be told next; undefined when nothing happens by time alone. */
export function wakeAtMs(lease: LeaseMachineState, nowMs: number): number | undefined {
  if (isFinished(lease)) return undefined;
  const changeAtMs = nextStageAtMs(lease, lease.policy, nowMs);
  const times = [lease.dueAtMs, changeAtMs].filter((atMs) => atMs !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** What the input makes of the lease. What is over stays over, whatever answer comes late. */
export function step(lease: LeaseMachineState, input: LeaseInput, moment: StepContext): LeaseStep {
  if (isFinished(lease)) return { lease, told: [], ask: undefined };
  switch (input.kind) {
    case 'time':
      return inTime(lease, 'nobody renewed it in time', moment);
    case 'granted':
      return afterGrant(lease, input.grant, moment);
    case 'unanswered':
      return inTime(askAgain(lease, input.retryInMs, moment), input.because, moment);
    case 'refused': {
      const { code, detail } = input;
      const { told, ...next } = inTime(askAgain(lease, input.retryInMs, moment), code, moment);
      return { ...next, told: [{ kind: 'denied', code, detail }, ...told] };
    }
    case 'ended':
      return afterEnd(lease, input.code, moment);
    case 'disconnected': {
      if (lease.borrowed || lease.dueAtMs === undefined) return { lease, told: [], ask: undefined };
      const soonMs = moment.nowMs + input.notBeforeMs + moment.random * input.withinMs;
      const dueAtMs = Math.min(lease.dueAtMs, soonMs);
      return { lease: { ...lease, dueAtMs }, told: [], ask: undefined };
    }
    case 'released':
      return over(lease, 'released', { kind: 'released' });
  }
}

function afterGrant(lease: LeaseMachineState, grant: Grant, moment: StepContext): LeaseStep {
  const next = renewed(lease, grant, moment);
  const { epoch, servedBy } = grant;
  const kind = lease.state === 'held' && lease.asks === 'heartbeat' ? 'renewed' : 'restored';
  return { lease: next, told: [{ kind, epoch, servedBy }], ask: undefined };
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
    expiresAtMs: grant.sentAtMs + grant.expiresInMs,
    confirmedAtMs: grant.sentAtMs,
  };
}

function askAgain(lease: LeaseMachineState, retryInMs: number, { nowMs }: StepContext): LeaseMachineState {
  if (lease.borrowed) return lease;
  return { ...lease, dueAtMs: nowMs + Math.max(HEARTBEAT_MS_MIN, retryInMs) };
}

/** The first end leads to another try; the end of that try is the end. */
function afterEnd(lease: LeaseMachineState, code: string, moment: StepContext): LeaseStep {
  if (lease.asks === 'checkout') {
    return over(lease, 'lost', { kind: 'lost', code: lease.endedCode ?? code });
  }
  if (lease.borrowed || !REACQUIRED_AFTER.has(code)) return over(lease, 'lost', { kind: 'lost', code });
  const next: LeaseMachineState = { ...lease, asks: 'checkout', endedCode: code, dueAtMs: moment.nowMs };
  return inTime(next, code, moment);
}

function over(lease: LeaseMachineState, state: 'lost' | 'released', told: LeaseEventBody): LeaseStep {
  return { lease: { ...lease, state, dueAtMs: undefined }, told: [told], ask: undefined };
}

const SEVERITY: Readonly<Record<OutageStage, number>> = { held: 0, grace: 1, fail_safe: 2, suspended: 3 };
const OUTAGE_STAGES: readonly Exclude<OutageStage, 'held'>[] = ['grace', 'fail_safe', 'suspended'];

/** Tells every standing that was passed on the way, in order: a machine that slept for a week has been through them. */
function inTime(lease: LeaseMachineState, because: string, { nowMs }: StepContext): LeaseStep {
  const stage = outageStageAt(lease, lease.policy, nowMs);
  if (lease.borrowed && stage !== 'held') {
    return over(lease, 'lost', { kind: 'lost', code: BORROWED_TIME_IS_OVER });
  }
  const before = SEVERITY[lease.state as OutageStage];
  const told = OUTAGE_STAGES.filter((passed) => SEVERITY[passed] > before && SEVERITY[passed] <= SEVERITY[stage]).map(
    (kind): LeaseEventBody => ({ kind, because }),
  );
  const due = lease.dueAtMs !== undefined && lease.dueAtMs <= nowMs;
  return {
    lease: { ...lease, state: stage, dueAtMs: due ? undefined : lease.dueAtMs },
    told,
    ask: due ? lease.asks : undefined,
  };
}
