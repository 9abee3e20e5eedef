import type { Next, PhaseFinding } from '../phases/phase';
import type { AuthorityView } from './authority';
import { type Evidence, type Operation, PHASES_OF, type Phase } from './operations';
import type { Policy } from './policy';

/** The holder of the authority, as an operation sees it. The epoch of any other holder ends the operation. */
export function authorityHolder(operation: Operation, authority: AuthorityView): 'origin' | 'ours' | 'other' {
  if (authority.epoch === operation.fromEpoch && authority.region === operation.fromRegion) return 'origin';
  if (authority.epoch === operation.toEpoch && authority.operationId === operation.id) return 'ours';
  return 'other';
}

/**
 * The time by which every proof of authority that the origin may hold has expired, in milliseconds since 1970 (S4, S5 in
 * docs/architecture.md). No proof of a later time is valid. The origin may hold one from its last renewal, and one from
 * the follower's last acknowledgement. The follower may have acknowledged for as long as it was connected, at most until
 * it was promoted. If the origin was found closed in its own database, no wait is needed: nothing is granted there.
 */
export function lapsedAtMs(operation: Operation, authority: AuthorityView, policy: Policy, nowMs: number): number {
  const { evidence } = operation;
  if (evidence.originClosedAtMs !== undefined) return nowMs;
  // The same servers beside the same database: the grants of both epochs are decided under one lock.
  if (operation.fromRegion === operation.toRegion) return nowMs;
  const lastAcknowledgementMs = evidence.receiverAbsentSinceMs ?? evidence.promotedAtMs ?? nowMs;
  const lastProofMs = Math.max(authority.renewedAtMs ?? authority.latchedAtMs, lastAcknowledgementMs);
  return lastProofMs + policy.authorityLeaseMs + policy.skewMs;
}

/** Adds the finding's evidence to the operation. A phase that stays also records what it is stuck on. */
export function applyFinding(operation: Operation, finding: PhaseFinding, next: Next, nowMs: number): Operation {
  const evidence: Evidence = { ...operation.evidence, ...finding.evidence };
  if (next !== 'stay') return { ...operation, evidence, stuck: undefined };
  const { stuck } = operation;
  const same = stuck?.observed === finding.observed ? stuck : undefined;
  return {
    ...operation,
    evidence,
    stuck: {
      observed: finding.observed,
      reason: finding.reason,
      sinceMs: same?.sinceMs ?? nowMs,
      alertedAtMs: same?.alertedAtMs,
    },
  };
}

/** The phase after the present one; undefined after the last. */
export function nextPhase(operation: Operation): Phase | undefined {
  const phases = PHASES_OF[operation.kind];
  const at = phases.indexOf(operation.phase);
  if (at < 0) throw new Error(`${operation.kind} has no phase ${operation.phase}`);
  return phases[at + 1];
}

/** Leaves the present phase for `phase`, or ends the timeline when `phase` is undefined. */
export function leavePhase(operation: Operation, phase: Phase | undefined, nowMs: number): Operation {
  const timeline = operation.timeline.map((entry) =>
    entry.leftAtMs === undefined ? { ...entry, leftAtMs: nowMs } : entry,
  );
  if (phase === undefined) return { ...operation, timeline, stuck: undefined };
  return {
    ...operation,
    phase,
    phaseSinceMs: nowMs,
    stuck: undefined,
    timeline: [...timeline, { phase, enteredAtMs: nowMs, leftAtMs: undefined }],
  };
}

/** True once, when a phase has observed the same for too long. Waiting for the opening time is no fault. */
export function isStuckAlertDue(operation: Operation, policy: Policy, nowMs: number): boolean {
  const { stuck } = operation;
  if (stuck === undefined || stuck.alertedAtMs !== undefined || stuck.observed === 'waiting_for_opening') return false;
  return nowMs - stuck.sinceMs >= policy.stuckAlertAfterMs;
}
