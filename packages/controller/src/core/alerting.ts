import type { Alert, Severity } from './alerts';
import type { ControlRecord, VerdictState } from './control-record';
import type { HistoryEntry } from './history';
import { type Policy, sampleSpacingMinMs } from './policy';
import { type Verdict, verdictKey } from './verdicts';

/** An alert before it has an id and a time. */
export type Message = Pick<Alert, 'code' | 'severity' | 'text'>;

export interface Telling {
  readonly verdictState: VerdictState;
  readonly message: Message | null;
  readonly history: readonly HistoryEntry[];
}

/**
 * What is told of a verdict: one alert for each state of affairs, at once or when it lasts, and one when all is well
 * again.
 */
export function tell(previous: VerdictState | null, verdict: Verdict, policy: Policy, nowMs: number): Telling {
  const from = previous === null ? null : verdictKey(previous.verdict);
  const to = verdictKey(verdict);
  // A hold whose cause changes is one long hold: its clock runs on, and it is told once.
  const lasts = previous !== null && (from === to || (previous.verdict.kind === 'hold' && verdict.kind === 'hold'));
  const history: HistoryEntry[] =
    from === to ? [] : [{ kind: 'verdict', detail: { from, to, reason: verdict.reason } }];
  return {
    ...(lasts ? tellLasting(previous, verdict, policy, nowMs) : tellChange(previous, verdict, policy, nowMs)),
    history,
  };
}

function tellChange(
  previous: VerdictState | null,
  verdict: Verdict,
  policy: Policy,
  nowMs: number,
): Omit<Telling, 'history'> {
  const telegram = telegramOf(verdict, policy);
  const alarm = telegram?.afterMs === 0 ? messageOf(telegram) : null;
  const resolvedPending = previous?.resolvedPending ?? false;
  const verdictState: VerdictState = {
    verdict,
    sinceMs: nowMs,
    alertedAtMs: alarm === null ? null : nowMs,
    // The report of an operation says how things stand after it.
    resolvedPending: verdict.kind !== 'operating' && !isWell(verdict) && (alarm !== null || resolvedPending),
  };
  const message =
    alarm ?? (previous !== null && resolvedPending && isWell(verdict) ? allClear(previous, verdict) : null);
  return { verdictState, message };
}

function tellLasting(
  previous: VerdictState,
  verdict: Verdict,
  policy: Policy,
  nowMs: number,
): Omit<Telling, 'history'> {
  const telegram = previous.alertedAtMs === null ? telegramOf(verdict, policy) : null;
  const message = telegram !== null && nowMs - previous.sinceMs >= telegram.afterMs ? messageOf(telegram) : null;
  const told = message === null ? {} : { alertedAtMs: nowMs, resolvedPending: true };
  return { verdictState: { ...previous, verdict, ...told }, message };
}

/** Adds a message to what is to be sent, and to the history. */
export function raise(
  record: ControlRecord,
  message: Message,
  { id, nowMs }: { id: string; nowMs: number },
): { record: ControlRecord; entry: HistoryEntry } {
  const alert: Alert = { ...message, id, raisedAtMs: nowMs };
  return {
    record: { ...record, unsentAlerts: [...record.unsentAlerts, alert] },
    entry: { kind: 'alert', detail: alert },
  };
}

function isWell(verdict: Verdict): boolean {
  return verdict.kind === 'healthy' || (verdict.kind === 'serving_from_standby' && verdict.watch === 'well');
}

/** A verdict that people are told of, once it has lasted so long. */
interface Telegram extends Message {
  readonly afterMs: number;
}

/** What is told of a verdict, and how patient it is: what one look has seen may be a blink. Null: nothing to tell. */
function telegramOf(verdict: Verdict, policy: Policy): Telegram | null {
  const secondLookMs = sampleSpacingMinMs(policy);
  const telegram = (severity: Severity, afterMs: number, text: string): Telegram => {
    return { code: codeOf(verdict), severity, afterMs, text };
  };
  const { reason } = verdict;
  switch (verdict.kind) {
    case 'application_down':
      return telegram('critical', secondLookMs, `No license server answers; the database does. No failover. ${reason}`);
    case 'database_down':
      return telegram(
        'warning',
        secondLookMs,
        `The primary database is down; the database service replaces it. No failover. ${reason}`,
      );
    case 'standby_not_ready':
      return telegram('critical', 0, `The region is down and the standby cannot take over: ${reason}`);
    case 'withheld':
      return telegram('critical', 0, `The region is down and confirmed, but ${reason}: a human must decide`);
    case 'fail_over':
      return telegram('critical', 0, `Failing over: ${reason}`);
    case 'hold':
      return telegram('warning', policy.holdAlertAfterMs, `Holding for long (${verdict.cause}): ${reason}`);
    case 'healthy':
      if (verdict.standby === 'ready') return null;
      return telegram('warning', policy.holdAlertAfterMs, `No failover would be possible now: ${reason}`);
    case 'serving_from_standby':
      if (verdict.watch === 'well') return null;
      return verdict.watch === 'unknown'
        ? telegram('warning', policy.holdAlertAfterMs, `The serving region cannot be watched: ${reason}`)
        : telegram('critical', secondLookMs, `The standby region serves, with no other behind it: ${reason}`);
    case 'confirming':
    case 'operating':
      return null;
  }
}

function messageOf({ code, severity, text }: Telegram): Message {
  return { code, severity, text };
}

function allClear(previous: VerdictState, verdict: Verdict): Message {
  return { code: 'all-clear', severity: 'info', text: `${verdictKey(previous.verdict)} is over: ${verdict.reason}` };
}

function codeOf(verdict: Verdict): string {
  if (verdict.kind === 'healthy') return 'failover-not-possible';
  const tag = verdict.kind === 'serving_from_standby' ? `standby-${verdict.watch}` : verdict.kind;
  return tag.replaceAll('_', '-');
}
