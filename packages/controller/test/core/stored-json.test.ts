import { type ControlRecord, initialControl } from '../../src/core/control-record';
import { FAILBACK_STAGES, PHASES_OF } from '../../src/core/operations';
import { fromStored, toStored, toStoredJson } from '../../src/core/stored-json';

/** A control record in the format of the release before the renaming. */
const LEGACY = {
  automation: { state: 'disarmed', by: 'controller', reason: 'keep-database', sinceMs: 1 },
  confirmation: null,
  receiverAbsentSinceMs: null,
  standing: {
    verdict: { kind: 'serving-from-standby', watch: 'both-down', because: 'all dead' },
    sinceMs: 1,
    alertedAtMs: null,
    allClearOwed: true,
  },
  operation: {
    id: 'op',
    kind: 'hand-over',
    phase: 'check',
    timeline: [{ phase: 'check', enteredAtMs: 1, leftAtMs: null }],
    evidence: { fence: 'owed', carriedOver: 'all-received', originLsn: null },
    stuck: { observed: 'not-ready', because: 'no answer', sinceMs: 1, alertedAtMs: null },
  },
  lastOperation: { id: 'before', kind: 'keep-old-database', phase: 'settle', outcome: 'done' },
  fenceDebts: [{ region: 'oregon', epoch: 2, sinceMs: 1, lastTriedAtMs: 1, because: 'no answer' }],
  failbackDoneAtMs: { 'confirm-fence': 1, 'keep-old-database': 2 },
  request: null,
  lastAnswer: {
    request: { id: 'r', command: { kind: 'failback', stage: 'hand-over' }, by: 'ada', reason: 'hand-over', atMs: 1 },
    outcome: 'already-done',
    because: 'oregon is active already',
    operationId: null,
    atMs: 2,
  },
  unsentAlerts: [{ id: 'a', code: 'fence-debt-paid', severity: 'info', text: 'fence-debt', raisedAtMs: 1 }],
};

describe('stored control records', () => {
  const record = fromStored<ControlRecord>(LEGACY);

  it('are read with the present names if an earlier release wrote them', () => {
    expect(record.verdictState).toEqual({
      verdict: { kind: 'not_rejoined', watch: 'both_down', reason: 'all dead' },
      sinceMs: 1,
      alertedAtMs: undefined,
      resolvedPending: true,
    });
    expect(record.operation).toMatchObject({
      kind: 'switchover',
      phase: 'preflight',
      timeline: [{ phase: 'preflight', leftAtMs: undefined }],
      evidence: { fence: 'pending', carriedOver: 'all_received', originLsn: undefined },
      stuck: { observed: 'not_ready', reason: 'no answer' },
    });
    expect(record.lastOperation).toMatchObject({ kind: 'archive-database', phase: 'complete' });
    expect(record.pendingFences).toMatchObject([{ region: 'oregon', reason: 'no answer' }]);
    expect(record.failbackDoneAtMs).toEqual({ 'confirm-fence': 1, 'archive-database': 2 });
    expect(record.lastAnswer).toMatchObject({
      outcome: 'already_done',
      request: { command: { stage: 'switchover' } },
      operationId: undefined,
    });
    expect(record.unsentAlerts).toMatchObject([{ code: 'pending-fence-applied' }]);
  });

  it('keep the texts of operators and alerts', () => {
    expect(record.automation.reason).toBe('keep-database');
    expect(record.lastAnswer?.request.reason).toBe('hand-over');
    expect(record.unsentAlerts[0]?.text).toBe('fence-debt');
  });

  it('keep present names as they are', () => {
    const kinds = Object.keys(PHASES_OF).map((kind) => ({ kind, phases: PHASES_OF[kind as keyof typeof PHASES_OF] }));
    const present = {
      operations: kinds,
      stages: FAILBACK_STAGES.map((stage) => ({ stage })),
      record: initialControl(1),
    };
    expect(fromStored(JSON.parse(toStoredJson(present)))).toEqual(present);
  });

  it('write an absent value as null', () => {
    expect(toStored(initialControl(1))).toMatchObject({ operation: null, request: null, lastCycleAtMs: null });
    expect(toStored({ values: [undefined, 1, false, ''] })).toEqual({ values: [null, 1, false, ''] });
  });

  it('map the history entries of an earlier release', () => {
    const entry = {
      kind: 'fence-debt',
      detail: { region: 'oregon', change: 'paid', because: 'fenced' },
      id: 1,
      atMs: 2,
    };
    expect(fromStored(entry)).toEqual({
      kind: 'pending-fence',
      detail: { region: 'oregon', change: 'applied', reason: 'fenced' },
      id: 1,
      atMs: 2,
    });
  });
});
