import type { Alert, Severity } from './alerts';
import type { ControlRecord, StandingVerdict } from './control-record';
import type { HistoryEntry } from './history';
import type { Policy } from './policy';
import { type Verdict, verdictKey } from './verdicts';

/** An alert before it has an id and a time. */
export type Message = Pick<Alert, 'code' | 'severity' | 'text'>;

export interface Telling {
  readonly standing: StandingVerdict;
  readonly message: Message | null;
  readonly history: readonly HistoryEntry[];
}

/**
 * What is told of a verdict: one alert for each change, one more when what should pass does not pass, and one when
 * all is well again after an alert.
 */
export function tell(previous: StandingVerdict | null, verdict: Verdict, policy: Policy, nowMs: number): Telling {
  const from = previous === null ? null : verdictKey(previous.verdict);
  const to = verdictKey(verdict);
  // A hold whose cause changes is one long hold: its clock runs on, and it is told once.
  const lasts = previous !== null && (from === to || (previous.verdict.kind === 'hold' && verdict.kind === 'hold'));
  const history: HistoryEntry[] =
    from === to ? [] : [{ kind: 'verdict', detail: { from, to, because: verdict.because } }];
  return { ...(lasts ? tellLasting(previous, verdict, policy, nowMs) : tellChange(previous, verdict, nowMs)), history };
}

function tellChange(previous: StandingVerdict | null, verdict: Verdict, nowMs: number): Omit<Telling, 'history'> {
  const alarm = atOnce(verdict);
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
  const late = previous.alertedAtMs === null && nowMs - previous.sinceMs >= policy.holdAlertAfterMs;
  const message = late ? whenItLasts(verdict) : null;
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

function atOnce(verdict: Verdict): Message | null {
  const message = (severity: Severity, text: string): Message => ({ code: codeOf(verdict), severity, text });
  switch (verdict.kind) {
    case 'application-down':
      return message(
        'critical',
        `No license server of the region answers; its database does. No failover. ${verdict.because}`,
      );
    case 'database-down':
      return message(
        'warning',
        `The primary database is down; the database service replaces it. No failover. ${verdict.because}`,
      );
    case 'standby-not-ready':
      return message('critical', `The region is down and the standby cannot take over: ${verdict.because}`);
    case 'withheld':
      return message('critical', `The region is down and confirmed, but ${verdict.because}: a human must decide`);
    case 'fail-over':
      return message('critical', `Failing over: ${verdict.because}`);
    case 'serving-from-standby':
      return verdict.watch === 'well' || verdict.watch === 'unknown'
        ? null
        : message('critical', `The standby region serves, and has no other behind it: ${verdict.because}`);
    case 'healthy':
    case 'confirming':
    case 'hold':
    case 'operating':
      return null;
  }
}

function whenItLasts(verdict: Verdict): Message | null {
  switch (verdict.kind) {
    case 'hold':
      return {
        code: codeOf(verdict),
        severity: 'warning',
        text: `Holding for long (${verdict.cause}): ${verdict.because}`,
      };
    case 'healthy':
      return verdict.standby === 'ready'
        ? null
        : { code: 'unprotected', severity: 'warning', text: `No failover would be possible now: ${verdict.because}` };
    case 'serving-from-standby':
      return verdict.watch === 'unknown'
        ? {
            code: codeOf(verdict),
            severity: 'warning',
            text: `The serving region cannot be watched: ${verdict.because}`,
          }
        : null;
    default:
      return null;
  }
}

function allClear(previous: StandingVerdict, verdict: Verdict): Message {
  return { code: 'all-clear', severity: 'info', text: `${verdictKey(previous.verdict)} is over: ${verdict.because}` };
}

function codeOf(verdict: Verdict): string {
  return verdict.kind === 'serving-from-standby' ? `standby-${verdict.watch}` : verdict.kind;
}
