import { POLICY } from '@evergrant/test-support/controller/memory-world';
import { operation, situation } from '@evergrant/test-support/controller/situations';
import { DECISIONS, decide, decidingRow, type Situation } from '../../src/core/decide';
import type { Facts, Reading } from '../../src/core/facts';
import { verdictKey } from '../../src/core/verdicts';

type Readings = Partial<Record<keyof Facts, Reading>>;

const seen = new Set<string>();

function key(given: Situation): string {
  seen.add(decidingRow(given, POLICY).name);
  return verdictKey(decide(given, POLICY));
}

describe('failure matrix', () => {
  const matrix: [app: Reading, database: Reading, verdict: string][] = [
    ['up', 'up', 'healthy'],
    ['up', 'down', 'database_down'],
    ['up', 'unknown', 'hold/database_unknown'],
    ['down', 'up', 'application_down'],
    ['down', 'down', 'fail_over'],
    ['down', 'unknown', 'hold/database_unknown'],
    ['unknown', 'up', 'hold/application_unknown'],
    ['unknown', 'down', 'hold/application_unknown'],
    ['unknown', 'unknown', 'hold/application_unknown'],
  ];

  it.each(matrix)('application %s, database %s: %s', (app, database, verdict) => {
    expect(key(situation({ app, database }))).toBe(verdict);
  });

  const vetoes: [why: string, readings: Readings, verdict: string][] = [
    ['the witness sees it alive', { witness: 'up' }, 'hold/witness_disagrees'],
    ['the witness is unknown', { witness: 'unknown' }, 'hold/witness_unknown'],
    ['the follower receives from the primary database', { follower: 'up' }, 'hold/follower_hears_primary'],
    ['the follower is unknown', { follower: 'unknown' }, 'hold/follower_unknown'],
    ['the authority was renewed within the lease', { renewal: 'up' }, 'hold/authority_renewed'],
    ['renewals cannot be seen', { renewal: 'unknown' }, 'hold/renewal_unknown'],
    ['the standby is not ready', { standby: 'down' }, 'standby_not_ready'],
    ['the readiness of the standby is unknown', { standby: 'unknown' }, 'standby_not_ready'],
    ['the standby is down with its follower', { standby: 'down', follower: 'unknown' }, 'standby_not_ready'],
  ];

  it.each(vetoes)('does not fail over when both are down and %s', (_why, readings, verdict) => {
    expect(key(situation(readings))).toBe(verdict);
  });

  it('reports during normal operation that the standby is not ready', () => {
    expect(key(situation({ app: 'up', database: 'up', standby: 'down' }))).toBe('healthy/standby_not_ready');
  });

  it('confirms until every sample of the window agrees', () => {
    const confirmation = { count: POLICY.samplesToConfirm - 1, sinceMs: 0, lastSampleAtMs: 0, livedBefore: false };
    const given = situation({}, { confirmation });
    expect(key(given)).toBe('confirming');
    expect(decide(given, POLICY)).toMatchObject({
      count: POLICY.samplesToConfirm - 1,
      needed: POLICY.samplesToConfirm,
    });
    expect(key(situation({}, { confirmation: undefined }))).toBe('confirming');
  });

  it.each([
    ['receives from it', { follower: 'up' }, 'hold/follower_hears_primary'],
    ['receives nothing', {}, 'confirming'],
    ['sees it renew', { renewal: 'up' }, 'hold/authority_renewed'],
  ] as const)('after a sign of life an observer %s: %s gives %s', (_what, readings, verdict) => {
    const confirmation = { count: 1, sinceMs: 0, lastSampleAtMs: 0, livedBefore: true };
    expect(key(situation(readings, { confirmation }))).toBe(verdict);
  });

  it.each(['paused', 'disarmed'] as const)('withholds the failover while the automation is %s', (state) => {
    const automation = { state, by: 'ada', reason: 'maintenance', sinceMs: 0 };
    const given = situation({}, { automation });
    expect(key(given)).toBe(`withheld/${state}`);
    expect(decide(given, POLICY).reason).toContain('ada: maintenance');
  });

  it('decides nothing while an operation is in progress', () => {
    expect(key(situation({}, { operation: operation('failover') }))).toBe('operating');
  });
});

describe('while the standby region has not rejoined', () => {
  const watches: [app: Reading, database: Reading, watch: string][] = [
    ['up', 'up', 'well'],
    ['down', 'up', 'application_down'],
    ['up', 'down', 'database_down'],
    ['down', 'down', 'both_down'],
    ['unknown', 'down', 'unknown'],
    ['up', 'unknown', 'unknown'],
  ];

  it.each(watches)('application %s, database %s: reports %s and never fails over', (app, database, watch) => {
    for (const activeRegion of ['oregon', 'virginia'] as const) {
      const given = situation({ app, database }, { activeRegion, rejoinPending: true });
      expect(key(given)).toBe(`not_rejoined/${watch}`);
    }
  });

  it('decides on Virginia like on Oregon when the standby has rejoined', () => {
    expect(key(situation({}, { activeRegion: 'virginia' }))).toBe('fail_over');
    expect(key(situation({ app: 'up', database: 'up' }, { activeRegion: 'virginia' }))).toBe('healthy');
  });
});

describe('decision table', () => {
  it('has a verdict for every combination of facts, and fails over for exactly one', () => {
    const readings: Reading[] = ['up', 'down', 'unknown'];
    const kinds = ['app', 'database', 'follower', 'witness', 'renewal', 'standby'] as const;
    const combinations = kinds.reduce<Readings[]>(
      (before, kind) =>
        before.flatMap((combination) => readings.map((reading) => ({ ...combination, [kind]: reading }))),
      [{}],
    );
    expect(combinations).toHaveLength(3 ** 6);
    const decided = combinations.map((combination) => ({
      combination,
      verdict: decide(situation(combination), POLICY),
    }));
    const failOvers = decided.filter(({ verdict }) => verdict.kind === 'fail_over');
    expect(failOvers.map(({ combination }) => combination)).toEqual([
      { app: 'down', database: 'down', follower: 'down', witness: 'down', renewal: 'down', standby: 'up' },
    ]);
  });

  it('uses every row of its table, each with a reason', () => {
    expect(new Set(DECISIONS.map(({ name }) => name))).toEqual(seen);
    for (const { why } of DECISIONS) expect(why.length).toBeGreaterThan(20);
  });
});
