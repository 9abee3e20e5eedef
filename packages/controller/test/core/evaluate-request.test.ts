import type { Region } from '@evergrant/core/regions';
import { authority, fact, NOW_MS, operation } from '@evergrant/test-support/controller/situations';
import { type ControlRecord, initialControl } from '../../src/core/control-record';
import { evaluateRequest } from '../../src/core/evaluate-request';
import type { Reading } from '../../src/core/facts';
import {
  FAILBACK_STAGES,
  type FailbackStage,
  type OperationKind,
  PHASES_OF,
  type Phase,
} from '../../src/core/operations';
import type { RequestEvaluation } from '../../src/core/request-evaluation';
import type { Command } from '../../src/core/requests';

interface Given {
  readonly active?: Region;
  readonly standby?: Reading;
  readonly standbyWithLoss?: Reading;
  /** Does the active region grant at the public address? */
  readonly grants?: boolean;
  readonly done?: readonly FailbackStage[];
  readonly control?: Partial<ControlRecord>;
}

function ask(command: Command, given: Given = {}): RequestEvaluation {
  const {
    active = 'oregon',
    standby = 'up',
    standbyWithLoss = standby,
    grants = true,
    done = [],
    control = {},
  } = given;
  const failbackDoneAtMs = Object.fromEntries(done.map((stage) => [stage, NOW_MS]));
  const record = { ...initialControl(NOW_MS), failbackDoneAtMs, ...control };
  const { fromEpoch = 1, phase } = record.operation ?? {};
  const latched = record.operation !== undefined && isLatchedIn(record.operation.kind, phase ?? 'latch');
  return evaluateRequest(command, {
    control: record,
    authority: authority({ region: active, epoch: latched ? fromEpoch + 1 : fromEpoch }),
    standby: fact(standby),
    standbyWithLoss: fact(standbyWithLoss),
    outside: grants
      ? { kind: 'granting', region: active, epoch: 1 }
      : { kind: 'not_granting', reason: 'nothing grants' },
  });
}

/** Has the operation taken its epoch when it is in this phase? */
function isLatchedIn(kind: OperationKind, phase: Phase): boolean {
  const phases = PHASES_OF[kind];
  return phases.includes('latch') && phases.indexOf(phase) > phases.indexOf('latch');
}

const busyWith = (kind: OperationKind, phase: Phase): Given => ({ control: { operation: operation(kind, { phase }) } });
const stagesUntil = (stage: FailbackStage): FailbackStage[] => FAILBACK_STAGES.slice(0, FAILBACK_STAGES.indexOf(stage));
const NOT_REJOINED: Given = { active: 'virginia', control: { rejoinPending: true } };
const DEAD: Given = { standby: 'down', standbyWithLoss: 'up', grants: false };

describe('manual failover', () => {
  it('skips the detection and starts at once', () => {
    expect(ask({ kind: 'failover' })).toMatchObject({ outcome: 'accepted', start: 'failover' });
  });

  it('is possible while the automation is paused', () => {
    const automation = { state: 'paused', by: 'ada', reason: 'test', sinceMs: 0 } as const;
    expect(ask({ kind: 'failover' }, { control: { automation } })).toMatchObject({ outcome: 'accepted' });
  });

  it.each(['down', 'unknown'] as const)('is refused when the standby is %s', (standby) => {
    for (const acceptLoss of [false, true])
      expect(ask({ kind: 'failover', acceptLoss }, { standby })).toMatchObject({ outcome: 'refused' });
  });

  it.each(['oregon', 'virginia'] as const)('moves the authority away from %s when the other has rejoined', (active) => {
    for (const grants of [false, true]) {
      const given = ask({ kind: 'failover' }, { active, grants, control: { rejoinPending: false } });
      expect(given).toMatchObject({ outcome: 'accepted', start: 'failover' });
    }
  });

  it('is done already when the named region is active and grants, and never when it does not grant', () => {
    expect(ask({ kind: 'failover', to: 'oregon' })).toMatchObject({ outcome: 'already_done' });
    const dead = ask({ kind: 'failover', to: 'oregon' }, { grants: false });
    expect(dead).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('failover --to virginia') });
  });

  it('sent again after a failover is done already only while the active region grants', () => {
    expect(ask({ kind: 'failover' }, NOT_REJOINED)).toMatchObject({ outcome: 'already_done' });
    expect(ask({ kind: 'failover' }, { ...NOT_REJOINED, ...DEAD })).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('failover --to oregon --accept-loss'),
    });
  });

  it('to a region that has not rejoined needs the acceptance of the loss, and an active region that does not grant', () => {
    const command = { kind: 'failover', to: 'oregon', acceptLoss: true } as const;
    expect(ask(command, { ...NOT_REJOINED, ...DEAD })).toMatchObject({ outcome: 'accepted', start: 'failover' });
    expect(ask(command, { ...NOT_REJOINED, ...DEAD, grants: true })).toMatchObject({ outcome: 'refused' });
    expect(ask(command, { ...NOT_REJOINED, ...DEAD, standbyWithLoss: 'down' })).toMatchObject({ outcome: 'refused' });
  });

  it.each<[OperationKind, Phase]>([
    ['follow', 'catch_up'],
    ['rejoin', 'build_follower'],
    ['switchover', 'drain'],
    ['reopen', 'switch'],
  ])('replaces a %s in phase %s', (kind, phase) => {
    const active = operation(kind).fromRegion;
    const { control } = busyWith(kind, phase);
    const given = ask({ kind: 'failover' }, { active, grants: false, control: { ...control, rejoinPending: false } });
    expect(given).toMatchObject({ outcome: 'accepted', abandon: true, start: 'failover' });
  });

  it('leaves a switchover alone that has recorded its promotion, because it needs nothing of its origin', () => {
    for (const phase of PHASES_OF.switchover.slice(2))
      expect(ask({ kind: 'failover' }, { active: 'virginia', ...busyWith('switchover', phase) }).outcome).toBe(
        'refused',
      );
  });

  it.each(['promote', 'verify', 'latch'] as const)(
    'back to the origin of a switchover whose target is lost in phase %s gives the origin a new epoch',
    (phase) => {
      const command = { kind: 'failover', to: 'virginia', acceptLoss: true } as const;
      const given = ask(command, { active: 'virginia', grants: false, ...busyWith('switchover', phase) });
      expect(given).toMatchObject({ outcome: 'accepted', abandon: true, start: 'reopen' });
    },
  );

  it.each<[OperationKind, Phase, Region]>([
    ['failover', 'drain', 'oregon'],
    ['switchover', 'switch', 'virginia'],
  ])('back from a latched %s whose target is lost accepts the loss', (kind, phase, to) => {
    const { toRegion } = operation(kind);
    const given = { active: toRegion, ...busyWith(kind, phase), ...DEAD };
    expect(ask({ kind: 'failover', to }, given)).toMatchObject({ outcome: 'refused' });
    expect(ask({ kind: 'failover', to, acceptLoss: true }, given)).toMatchObject({
      outcome: 'accepted',
      abandon: true,
      start: 'failover',
    });
  });
});

describe('switchover', () => {
  const switchover = { kind: 'switchover' } as const;

  it.each(['oregon', 'virginia'] as const)('starts from %s when the other region has rejoined', (active) => {
    const given = ask(switchover, { active, control: { rejoinPending: false } });
    expect(given).toMatchObject({ outcome: 'accepted', start: 'switchover' });
  });

  it('waits for the rejoin, because it must lose nothing', () => {
    expect(ask(switchover, NOT_REJOINED)).toMatchObject({ outcome: 'refused' });
  });

  it('to the active region is done already only while that region grants', () => {
    expect(ask({ ...switchover, to: 'oregon' })).toMatchObject({ outcome: 'already_done' });
    expect(ask({ ...switchover, to: 'oregon' }, { grants: false })).toMatchObject({ outcome: 'refused' });
  });
});

describe('rejoin', () => {
  it.each(['oregon', 'virginia'] as const)('starts while %s is active and grants', (active) => {
    const given = ask({ kind: 'rejoin' }, { active, control: { rejoinPending: true } });
    expect(given).toMatchObject({ outcome: 'accepted', start: 'rejoin' });
  });

  it('archives no database while no region grants: it may be the last one', () => {
    expect(ask({ kind: 'rejoin' }, { ...NOT_REJOINED, grants: false })).toMatchObject({ outcome: 'refused' });
    const archive = { kind: 'failback', stage: 'archive-database' } as const;
    const given = { ...NOT_REJOINED, done: ['confirm-fence'] as const, control: {}, grants: false };
    expect(ask(archive, given)).toMatchObject({ outcome: 'refused' });
  });
});

describe('restore-follower during normal operation', () => {
  const restore = { kind: 'failback', stage: 'restore-follower' } as const;

  it('starts without a failback and creates a lost follower again', () => {
    expect(ask(restore)).toMatchObject({ outcome: 'accepted', start: 'restore-follower' });
  });

  it('is refused while Virginia is active, because its database is not a follower', () => {
    expect(ask(restore, { active: 'virginia' })).toMatchObject({ outcome: 'refused' });
  });

  it('does not arm the automation', () => {
    expect(ask({ kind: 'failback', stage: 'arm' }, { done: ['restore-follower'] })).toMatchObject({
      outcome: 'refused',
    });
  });
});

describe('failback stages', () => {
  const activeFor = (stage: FailbackStage): Region =>
    stage === 'restore-follower' || stage === 'arm' ? 'oregon' : 'virginia';

  it.each(FAILBACK_STAGES)('%s starts when every earlier stage is done, and can be repeated', (stage) => {
    const active = activeFor(stage);
    const command = { kind: 'failback', stage } as const;
    expect(ask(command, { active, done: stagesUntil(stage) })).toMatchObject({ outcome: 'accepted', start: stage });
    expect(ask(command, { active, done: [...stagesUntil(stage), stage] })).toMatchObject({ outcome: 'accepted' });
  });

  it.each(FAILBACK_STAGES.slice(1))('%s waits for the stage before it', (stage) => {
    const done = stagesUntil(stage).slice(0, -1);
    const given = ask({ kind: 'failback', stage }, { active: activeFor(stage), done });
    expect(given).toMatchObject({ outcome: 'refused', reason: `${stagesUntil(stage).at(-1)} comes first` });
  });

  it.each(FAILBACK_STAGES)('%s requires one particular active region', (stage) => {
    const other = activeFor(stage) === 'oregon' ? 'virginia' : 'oregon';
    const given = ask({ kind: 'failback', stage }, { active: other, done: stagesUntil(stage) });
    expect(given.outcome).toBe(stage === 'switchover' ? 'already_done' : 'refused');
  });

  it('only the first starts while a fence is pending', () => {
    const pendingFence = { region: 'oregon', epoch: 2, sinceMs: 0, lastTriedAtMs: 0, reason: 'no answer' } as const;
    const control = { pendingFences: [pendingFence] };
    const given = (stage: FailbackStage) =>
      ask(
        { kind: 'failback', stage },
        {
          active: 'virginia',
          done: stagesUntil(stage),
          control: { ...control, failbackDoneAtMs: { 'confirm-fence': 1 } },
        },
      );
    expect(given('confirm-fence').outcome).toBe('accepted');
    expect(given('archive-database')).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('pending') });
  });
});

describe('abort', () => {
  const abort = { kind: 'abort' } as const;

  it('returns the authority of a switchover under a new epoch until the promotion is recorded', () => {
    const phases = PHASES_OF.switchover;
    for (const phase of phases) {
      const given = ask(abort, busyWith('switchover', phase));
      if (phase === 'preflight') expect(given).toMatchObject({ outcome: 'accepted', start: undefined });
      else if (phase === 'drain') expect(given).toMatchObject({ outcome: 'accepted', start: 'reopen' });
      else expect(given).toMatchObject({ outcome: 'refused' });
    }
  });

  it('ends a stage that moves no authority', () => {
    expect(ask(abort, busyWith('follow', 'catch_up'))).toMatchObject({ outcome: 'accepted', start: undefined });
  });

  it.each<[OperationKind, Phase]>([
    ['failover', 'fence'],
    ['reopen', 'open'],
  ])('never ends a %s', (kind, phase) => {
    expect(ask(abort, busyWith(kind, phase))).toMatchObject({ outcome: 'refused' });
  });

  it('is refused without an operation', () => {
    expect(ask(abort)).toMatchObject({ outcome: 'refused', reason: 'nothing is in progress' });
  });
});
