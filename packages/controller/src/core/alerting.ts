import type { Alert, Severity } from './alerts';
import type { ControlRecord, VerdictState } from './control-record';
import type { HistoryEntry } from './history';
import { type Policy, sampleSpacingMinMs } from './policy';
import { type Verdict, verdictKey } from './verdicts';

/** An alert before it has an id and a time. */
export type AlertContent = Pick<Alert, 'code' | 'severity' | 'text'>;

export interface AlertEvaluation {
  readonly verdictState: VerdictState;
  readonly alert: AlertContent | undefined;
  readonly history: readonly HistoryEntry[];
}

/**
 * Decides on the alert of a verdict. Each state raises one alert, immediately or after it has lasted for a while. One
 * `all-clear` follows when the region is healthy again.
 */
export function evaluateAlerts(
  previous: VerdictState | undefined,
  verdict: Verdict,
  policy: Policy,
  nowMs: number,
): AlertEvaluation {
  const from = previous && verdictKey(previous.verdict);
  const to = verdictKey(verdict);
  // A hold whose cause changes is one long hold: its time continues, and it raises one alert.
  const lasts =
    previous !== undefined && (from === to || (previous.verdict.kind === 'hold' && verdict.kind === 'hold'));
  const history: HistoryEntry[] =
    from === to ? [] : [{ kind: 'verdict', detail: { from, to, reason: verdict.reason } }];
  return {
    ...(lasts ? evaluateLasting(previous, verdict, policy, nowMs) : evaluateChange(previous, verdict, policy, nowMs)),
    history,
  };
}

type StateAndAlert = Omit<AlertEvaluation, 'history'>;

function evaluateChange(
  previous: VerdictState | undefined,
  verdict: Verdict,
  policy: Policy,
  nowMs: number,
): StateAndAlert {
  const spec = alertSpecOf(verdict, policy);
  const immediate = spec?.afterMs === 0 ? contentOf(spec) : undefined;
  const resolvedPending = previous?.resolvedPending ?? false;
  const isResolved = previous !== undefined && resolvedPending && isHealthy(verdict);
  const verdictState: VerdictState = {
    verdict,
    sinceMs: nowMs,
    alertedAtMs: immediate && nowMs,
    // After an operation its report describes the state, so no all-clear follows.
    resolvedPending:
      verdict.kind !== 'operating' && !isHealthy(verdict) && (immediate !== undefined || resolvedPending),
  };
  return { verdictState, alert: immediate ?? (isResolved ? allClear(previous, verdict) : undefined) };
}

function evaluateLasting(previous: VerdictState, verdict: Verdict, policy: Policy, nowMs: number): StateAndAlert {
  const spec = previous.alertedAtMs === undefined ? alertSpecOf(verdict, policy) : undefined;
  const isDue = spec !== undefined && nowMs - previous.sinceMs >= spec.afterMs;
  if (!isDue) return { verdictState: { ...previous, verdict }, alert: undefined };
  return {
    verdictState: { ...previous, verdict, alertedAtMs: nowMs, resolvedPending: true },
    alert: contentOf(spec),
  };
}

/** Adds an alert to the unsent ones, and to the history. */
export function appendAlert(
  record: ControlRecord,
  content: AlertContent,
  { id, nowMs }: { id: string; nowMs: number },
): { record: ControlRecord; entry: HistoryEntry } {
  const alert: Alert = { ...content, id, raisedAtMs: nowMs };
  return {
    record: { ...record, unsentAlerts: [...record.unsentAlerts, alert] },
    entry: { kind: 'alert', detail: alert },
  };
}

function isHealthy(verdict: Verdict): boolean {
  return verdict.kind === 'healthy' || (verdict.kind === 'not_rejoined' && verdict.watch === 'well');
}

/** The alert of a verdict, and how long the verdict must have lasted before it is raised. */
interface AlertSpec extends AlertContent {
  readonly afterMs: number;
}

/** Undefined: the verdict raises no alert. A single sample may be a transient fault, so most verdicts must last. */
function alertSpecOf(verdict: Verdict, policy: Policy): AlertSpec | undefined {
  const secondSampleMs = sampleSpacingMinMs(policy);
  const spec = (severity: Severity, afterMs: number, text: string): AlertSpec => {
    return { code: codeOf(verdict), severity, afterMs, text };
  };
  const { reason } = verdict;
  switch (verdict.kind) {
    case 'application_down':
      return spec('critical', secondSampleMs, `No license server answers; the database does. No failover. ${reason}`);
    case 'database_down':
      return spec(
        'warning',
        secondSampleMs,
        `The primary database is down; the database service replaces it. No failover. ${reason}`,
      );
    case 'standby_not_ready':
      return spec('critical', 0, `The region is down and the standby cannot take over: ${reason}`);
    case 'withheld':
      return spec('critical', 0, `The region is confirmed down, but ${reason}: an operator must decide`);
    case 'fail_over':
      return spec('critical', 0, `Failing over: ${reason}`);
    case 'hold':
      return spec('warning', policy.holdAlertAfterMs, `The controller holds (${verdict.cause}): ${reason}`);
    case 'healthy':
      if (verdict.standby === 'ready') return undefined;
      return spec('warning', policy.holdAlertAfterMs, `A failover is not possible now: ${reason}`);
    case 'not_rejoined':
      if (verdict.watch === 'well') return undefined;
      return verdict.watch === 'unknown'
        ? spec('warning', policy.holdAlertAfterMs, `The serving region cannot be observed: ${reason}`)
        : spec(
            'critical',
            secondSampleMs,
            `The active region fails and the other has not rejoined, so no failover is automatic: ${reason}`,
          );
    case 'confirming':
    case 'operating':
      return undefined;
  }
}

function contentOf({ code, severity, text }: AlertSpec): AlertContent {
  return { code, severity, text };
}

function allClear(previous: VerdictState, verdict: Verdict): AlertContent {
  return { code: 'all-clear', severity: 'info', text: `${verdictKey(previous.verdict)} is over: ${verdict.reason}` };
}

/** Codes are anchors in docs/runbook.md, so they are written with hyphens. */
function codeOf(verdict: Verdict): string {
  if (verdict.kind === 'healthy') return 'failover-not-possible';
  const tag = verdict.kind === 'not_rejoined' ? `standby-${verdict.watch}` : verdict.kind;
  return tag.replaceAll('_', '-');
}
