import { POLICY } from '@evergrant/test-support/controller/memory-world';
import { type AlertContent, evaluateAlerts } from '../../src/core/alerting';
import type { VerdictState } from '../../src/core/control-record';
import type { Verdict } from '../../src/core/verdicts';

const HEALTHY: Verdict = { kind: 'healthy', standby: 'ready', reason: 'well' };
const UNPROTECTED: Verdict = { kind: 'healthy', standby: 'not_ready', reason: 'no follower' };
const APP_DOWN: Verdict = { kind: 'application_down', reason: 'nobody answers' };
const DATABASE_DOWN: Verdict = { kind: 'database_down', reason: 'refused' };
const CONFIRMING: Verdict = { kind: 'confirming', count: 1, needed: 4, reason: '1 of 4' };
const HOLD: Verdict = { kind: 'hold', cause: 'witness_unknown', reason: 'silent' };
const OTHER_HOLD: Verdict = { kind: 'hold', cause: 'application_unknown', reason: 'dns' };
const NOT_READY: Verdict = { kind: 'standby_not_ready', reason: 'replay paused' };
const WITHHELD: Verdict = { kind: 'withheld', automation: 'paused', reason: 'paused by ada' };
const FAIL_OVER: Verdict = { kind: 'fail_over', reason: 'all agree' };
const OPERATING: Verdict = { kind: 'operating', reason: 'failover' };
const SERVING: Verdict = { kind: 'not_rejoined', watch: 'well', reason: 'virginia serves' };
const SERVING_DOWN: Verdict = { kind: 'not_rejoined', watch: 'both_down', reason: 'all dead' };
const SERVING_UNKNOWN: Verdict = { kind: 'not_rejoined', watch: 'unknown', reason: 'dns' };

/** Passes one verdict a second. Returns the alerts and the keys of the history. */
function hear(verdicts: readonly Verdict[]): { codes: string[]; messages: AlertContent[]; changes: number } {
  let verdictState: VerdictState | undefined;
  const messages: AlertContent[] = [];
  let changes = 0;
  for (const [index, verdict] of verdicts.entries()) {
    const evaluation = evaluateAlerts(verdictState, verdict, POLICY, index * 1_000);
    verdictState = evaluation.verdictState;
    changes += evaluation.history.length;
    if (evaluation.alert !== undefined) messages.push(evaluation.alert);
  }
  return { codes: messages.map(({ code }) => code), messages, changes };
}

const lasting = (verdict: Verdict): Verdict[] =>
  Array.from({ length: POLICY.holdAlertAfterMs / 1_000 + 5 }, () => verdict);

describe('alerting', () => {
  it('raises nothing while healthy', () => {
    expect(hear(lasting(HEALTHY))).toEqual({ codes: [], messages: [], changes: 1 });
  });

  it.each([
    ['standby-not-ready', NOT_READY, 'critical'],
    ['withheld', WITHHELD, 'critical'],
    ['fail-over', FAIL_OVER, 'critical'],
  ])('%s: raised at once, and once', (code, verdict, severity) => {
    expect(hear([HEALTHY, ...lasting(verdict)]).messages).toMatchObject([{ code, severity }]);
  });

  it.each([
    ['application-down', APP_DOWN, 'critical'],
    ['database-down', DATABASE_DOWN, 'warning'],
    ['standby-both-down', SERVING_DOWN, 'critical'],
  ])('%s: raised after a second sample, and once', (code, verdict, severity) => {
    expect(hear([HEALTHY, verdict, HEALTHY]).codes).toEqual([]);
    expect(hear([HEALTHY, verdict, verdict]).messages).toMatchObject([{ code, severity }]);
    expect(hear([HEALTHY, ...lasting(verdict)]).codes).toEqual([code]);
  });

  it('raises nothing for a brief confirmation', () => {
    expect(hear([HEALTHY, CONFIRMING, HEALTHY, CONFIRMING, HEALTHY]).codes).toEqual([]);
  });

  it.each([
    ['hold', HOLD],
    ['failover-not-possible', UNPROTECTED],
    ['standby-unknown', SERVING_UNKNOWN],
  ])('%s: raised only when it lasts, and once', (code, verdict) => {
    expect(hear([verdict, verdict]).codes).toEqual([]);
    expect(hear([...lasting(verdict), ...lasting(verdict)]).codes).toEqual([code]);
  });

  it('treats a hold with changing causes as one hold', () => {
    const alternating = [...lasting(HOLD), ...lasting(HOLD)].map((hold, index) =>
      index % 2 === 0 ? hold : OTHER_HOLD,
    );
    expect(hear(alternating).codes).toEqual(['hold']);
  });

  it('raises one recovery alert after an earlier alert', () => {
    expect(hear([HEALTHY, APP_DOWN, APP_DOWN, HEALTHY, HEALTHY]).codes).toEqual(['application-down', 'all-clear']);
    expect(hear([APP_DOWN, APP_DOWN, CONFIRMING, HOLD, HEALTHY]).codes).toEqual(['application-down', 'all-clear']);
    expect(hear([...lasting(HOLD), HEALTHY]).codes).toEqual(['hold', 'all-clear']);
    expect(hear([...lasting(UNPROTECTED), HEALTHY]).codes).toEqual(['failover-not-possible', 'all-clear']);
  });

  it('raises only the report after an operation', () => {
    expect(hear([HEALTHY, CONFIRMING, FAIL_OVER, OPERATING, OPERATING, SERVING]).codes).toEqual(['fail-over']);
  });
});
