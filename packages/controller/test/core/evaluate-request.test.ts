import type { Region } from '@evergrant/core/regions';
import { authority, fact, NOW_MS, operation } from '@evergrant/test-support/controller/situations';
import { type ControlRecord, initialControl } from '../../src/core/control-record';
import { evaluateRequest, type RequestEvaluation } from '../../src/core/evaluate-request';
import {
  FAILBACK_STAGES,
  type FailbackStage,
  type OperationKind,
  PHASES_OF,
  type Phase,
} from '../../src/core/operations';
import type { Command } from '../../src/core/requests';

interface Given {
  readonly active?: Region;
  readonly standby?: 'up' | 'down' | 'unknown';
  readonly done?: readonly FailbackStage[];
  readonly control?: Partial<ControlRecord>;
}

function ask(
  command: Command,
  { active = 'oregon', standby = 'up', done = [], control = {} }: Given = {},
): RequestEvaluation {
  const failbackDoneAtMs = Object.fromEntries(done.map((stage) => [stage, NOW_MS]));
  const record = { ...initialControl(NOW_MS), failbackDoneAtMs, ...control };
  return evaluateRequest(command, {
    control: record,
    authority: authority({ region: active }),
    standby: fact(standby),
  });
}

const busyWith = (kind: OperationKind, phase: Phase): Given => ({ control: { operation: operation(kind, { phase }) } });
const stagesUntil = (stage: FailbackStage): FailbackStage[] => FAILBACK_STAGES.slice(0, FAILBACK_STAGES.indexOf(stage));

describe('manual failover', () => {
  it('skips the detection and starts at once', () => {
    expect(ask({ kind: 'failover' })).toMatchObject({ outcome: 'accepted', start: 'failover' });
  });

  it('is possible while the automation is paused', () => {
    const automation = { state: 'paused', by: 'ada', reason: 'test', sinceMs: 0 } as const;
    expect(ask({ kind: 'failover' }, { control: { automation } })).toMatchObject({ outcome: 'accepted' });
  });

  it.each(['down', 'unknown'] as const)('does not skip the gate, and is refused when the standby is %s', (standby) => {
    expect(ask({ kind: 'failover' }, { standby })).toMatchObject({ outcome: 'refused' });
  });

  it('is already done when Virginia is active', () => {
    expect(ask({ kind: 'failover' }, { active: 'virginia' })).toMatchObject({ outcome: 'already_done' });
  });

  it('is refused during another operation', () => {
    expect(ask({ kind: 'failover' }, busyWith('follow', 'catch_up'))).toMatchObject({ outcome: 'refused' });
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
