import type { AuthorityView } from './authority';
import type { Finding } from './finding';
import { type Evidence, type Operation, PHASES_OF, type Phase } from './operations';
import type { Policy } from './policy';
import type { TransitionRow } from './transitions';

/** Whose the authority is, as an operation sees it. Anybody else's epoch ends the operation. */
export function authorityStanding(operation: Operation, authority: AuthorityView): 'origin' | 'ours' | 'other' {
  if (authority.epoch === operation.fromEpoch && authority.region === operation.fromRegion) return 'origin';
  if (authority.epoch === operation.toEpoch && authority.operationId === operation.id) return 'ours';
  return 'other';
}

/**
 * By when every proof of authority that the origin may hold has lapsed, in milliseconds since 1970 (S4, S5 in
 * docs/architecture.md): nothing that it says later is believed. It holds one from its last renewal, and one from the
 * last acknowledgement of the follower, which may have acknowledged for as long as it was connected, at most until it
 * was promoted. An origin that was found closed in its own database needs no waiting: nothing is granted there.
 */
export function lapsedAtMs(operation: Operation, authority: AuthorityView, policy: Policy, nowMs: number): number {
  const { evidence } = operation;
  if (evidence.originClosedAtMs !== null) return nowMs;
  // The same servers beside the same database: one epoch's grants and the next one's are decided under one lock.
  if (operation.fromRegion === operation.toRegion) return nowMs;
  const lastAcknowledgementMs = evidence.receiverAbsentSinceMs ?? evidence.promotedAtMs ?? nowMs;
  const lastProofMs = Math.max(authority.renewedAtMs ?? authority.latchedAtMs, lastAcknowledgementMs);
  return lastProofMs + policy.authorityLeaseMs + policy.skewMs;
}

/** The operation with what a finding taught, still in its phase; a phase that stays remembers what it is stuck on. */
export function note(operation: Operation, finding: Finding, row: TransitionRow, nowMs: number): Operation {
  const evidence: Evidence = { ...operation.evidence, ...finding.learned };
  if (row.next !== 'stay') return { ...operation, evidence, stuck: null };
  const { stuck } = operation;
  const same = stuck !== null && stuck.observed === finding.observed;
  return {
    ...operation,
    evidence,
    stuck: {
      observed: finding.observed,
      reason: finding.reason,
      sinceMs: same ? stuck.sinceMs : nowMs,
      alertedAtMs: same ? stuck.alertedAtMs : null,
    },
  };
}

/** The phase after the present one, or null after the last. */
export function nextPhase(operation: Operation): Phase | null {
  const phases = PHASES_OF[operation.kind];
  const at = phases.indexOf(operation.phase);
  if (at < 0) throw new Error(`${operation.kind} has no phase ${operation.phase}`);
  return phases[at + 1] ?? null;
}

/** Leaves the present phase for `phase`; null leaves the last one. The timeline keeps both moments. */
export function leavePhase(operation: Operation, phase: Phase | null, nowMs: number): Operation {
  const timeline = operation.timeline.map((entry) => (entry.leftAtMs === null ? { ...entry, leftAtMs: nowMs } : entry));
  if (phase === null) return { ...operation, timeline, stuck: null };
  return {
    ...operation,
    phase,
    phaseSinceMs: nowMs,
    stuck: null,
    timeline: [...timeline, { phase, enteredAtMs: nowMs, leftAtMs: null }],
  };
}

/** A phase that has found the same thing for too long, and has not said so yet. */
export function isToBeTold(operation: Operation, policy: Policy, nowMs: number): boolean {
  const { stuck } = operation;
  if (stuck === null || stuck.alertedAtMs !== null || stuck.observed === 'waiting_for_opening') return false;
  return nowMs - stuck.sinceMs >= policy.stuckAlertAfterMs;
}
