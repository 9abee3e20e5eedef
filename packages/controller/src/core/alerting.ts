import type { Alert, Severity } from './alerts';
import type { ControlRecord, StandingVerdict } from './control-record';
import type { HistoryEntry } from './history';
import { type Policy, sampleSpacingMinMs } from './policy';
import { type Verdict, verdictKey } from './verdicts';

/** An alert before it has an id and a time. */
export type Message = Pick<Alert, 'code' | 'severity' | 'text'>;

export interface Telling {
  readonly standing: StandingVerdict;
  readonly message: Message | null;
  readonly history: readonly HistoryEntry[];
}

/**
 * What is told of a verdict: one alert for each state of affairs, at once or when it lasts, and one when all is well
 * again.
 */
export function tell(previous: StandingVerdict | null, verdict: Verdict, policy: Policy, nowMs: number): Telling {
  const from = previous === null ? null : verdictKey(previous.verdict);
  const to = verdictKey(verdict);
  // A hold whose cause changes is one long hold: its clock runs on, and it is told once.
  const lasts = previous !== null && (from === to || (previous.verdict.kind === 'hold' && verdict.kind === 'hold'));
  const history: HistoryEntry[] =
    from === to ? [] : [{ kind: 'verdict', detail: { from, to, because: verdict.because } }];
  return {
    ...(lasts ? tellLasting(previous, verdict, policy, nowMs) : tellChange(previous, verdict, policy, nowMs)),
    history,
  };
}

function tellChange(
  previous: StandingVerdict | null,
  verdict: Verdict,
  policy: Policy,
  nowMs: number,
): Omit<Telling, 'history'> {
  const telegram = telegramOf(verdict, policy);
  const alarm = telegram?.afterMs === 0 ? messageOf(telegram) : null;
  const allClearOwed = previous?.allClearOwed ?? false;
  const standing: StandingVerdict = {
    verdict,
    sinceMs: nowMs,
    alertedAtMs: alarm === null ? null : nowMs,
    // The report of an operation says how things stand after it.
    allClearOwed: verdict.kind !== 'operating' && !isWell(verdict) && (alarm !== null || allClearOwed),
  };
  const message = alarm ?? (previous !== null && allClearOwed && isWell(verdict) ? allClear(previous, verdict) : null);
  return { standing, message };
}

function tellLasting(
  previous: StandingVerdict,
  verdict: Verdict,
  policy: Policy,
  nowMs: number,
): Omit<Telling, 'history'> {
  const telegram = previous.alertedAtMs === null ? telegramOf(verdict, policy) : null;
  const message = telegram !== null && nowMs - previous.sinceMs >= telegram.afterMs ? messageOf(telegram) : null;
  const told = message === null ? {} : { alertedAtMs: nowMs, allClearOwed: true };
  return { standing: { ...previous, verdict, ...told }, message };
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
  return verdict.kind === 'healthy' || (verdict.kind === 'serving-from-standby' && verdict.watch === 'well');
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
  const { because } = verdict;
  switch (verdict.kind) {
    case 'application-down':
      return telegram(
        'critical',
        secondLookMs,
        `No license server answers; the database does. No failover. ${because}`,
      );
    case 'database-down':
      return telegram(
        'warning',
        secondLookMs,
        `The primary database is down; the database service replaces it. No failover. ${because}`,
      );
    case 'standby-not-ready':
      return telegram('critical', 0, `The region is down and the standby cannot take over: ${because}`);
    case 'withheld':
      return telegram('critical', 0, `The region is down and confirmed, but ${because}: a human must decide`);
    case 'fail-over':
      return telegram('critical', 0, `Failing over: ${because}`);
    case 'hold':
      return telegram('warning', policy.holdAlertAfterMs, `Holding for long (${verdict.cause}): ${because}`);
    case 'healthy':
      if (verdict.standby === 'ready') return null;
      return telegram('warning', policy.holdAlertAfterMs, `No failover would be possible now: ${because}`);
    case 'serving-from-standby':
      if (verdict.watch === 'well') return null;
      return verdict.watch === 'unknown'
        ? telegram('warning', policy.holdAlertAfterMs, `The serving region cannot be watched: ${because}`)
        : telegram('critical', secondLookMs, `The standby region serves, with no other behind it: ${because}`);
    case 'confirming':
    case 'operating':
      return null;
  }
}

function messageOf({ code, severity, text }: Telegram): Message {
  return { code, severity, text };
}

function allClear(previous: StandingVerdict, verdict: Verdict): Message {
  return { code: 'all-clear', severity: 'info', text: `${verdictKey(previous.verdict)} is over: ${verdict.because}` };
}

function codeOf(verdict: Verdict): string {
  if (verdict.kind === 'healthy') return 'unprotected';
  return verdict.kind === 'serving-from-standby' ? `standby-${verdict.watch}` : verdict.kind;
}
