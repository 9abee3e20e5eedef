import type { AuthorityView } from '@evergrant/controller/core/authority';
import { initialControl } from '@evergrant/controller/core/control-record';
import type { FollowerView, PrimaryView } from '@evergrant/controller/core/database-view';
import type { Situation } from '@evergrant/controller/core/decide';
import type { Fact, Facts, Reading } from '@evergrant/controller/core/facts';
import type { Operation, OperationKind } from '@evergrant/controller/core/operations';
import { startOperation } from '@evergrant/controller/core/start-operation';
import { POLICY } from './memory-world';

/** Prepared facts and operations. Each test overrides only the values that matter to it. */
export const NOW_MS = 1_000_000;

export function fact(reading: Reading): Fact {
  return { reading, reason: `it is ${reading}` };
}

export function facts(readings: Partial<Record<keyof Facts, Reading>> = {}): Facts {
  const all = {
    app: 'down',
    database: 'down',
    follower: 'down',
    witness: 'down',
    renewal: 'down',
    standby: 'up',
  } as const;
  const merged = { ...all, ...readings };
  return {
    app: fact(merged.app),
    database: fact(merged.database),
    follower: fact(merged.follower),
    witness: fact(merged.witness),
    renewal: fact(merged.renewal),
    standby: fact(merged.standby),
  };
}

/** The defaults speak for a failover. */
export function situation(
  readings: Partial<Record<keyof Facts, Reading>> = {},
  others: Partial<Situation> = {},
): Situation {
  return {
    facts: facts(readings),
    activeRegion: 'oregon',
    automation: { state: 'armed', by: 'tester', reason: 'test', sinceMs: 0 },
    rejoinPending: false,
    confirmation: {
      count: POLICY.samplesToConfirm,
      sinceMs: NOW_MS - 4_000,
      lastSampleAtMs: NOW_MS,
      livedBefore: false,
    },
    operation: undefined,
    ...others,
  };
}

export function authority(changes: Partial<AuthorityView> = {}): AuthorityView {
  return {
    epoch: 1,
    region: 'oregon',
    operationId: undefined,
    latchedAtMs: 0,
    opensAtMs: 0,
    renewedAtMs: NOW_MS - 60_000,
    renewedBy: 'oregon/app-1',
    readAtMs: NOW_MS,
    ...changes,
  };
}

export function operation(kind: OperationKind, changes: Partial<Operation> = {}): Operation {
  const start = { kind, id: 'op', by: 'tester', reason: 'test', automatic: false };
  const active = kind === 'failover' || kind === 'restore-follower' || kind === 'arm' ? 'oregon' : 'virginia';
  return { ...startOperation(start, initialControl(NOW_MS), authority({ region: active }), NOW_MS), ...changes };
}

export function follower(changes: Partial<FollowerView> = {}): FollowerView {
  return {
    kind: 'follower',
    serverNowMs: NOW_MS,
    receivedLsn: '0/1000',
    replayedLsn: '0/1000',
    replayPaused: false,
    lastCommitAtMs: NOW_MS - 5_000,
    receiver: undefined,
    epoch: undefined,
    ...changes,
  };
}

export function hearing(agoMs = 100): FollowerView['receiver'] {
  return { status: 'streaming', lastMessageAtMs: NOW_MS - agoMs };
}

export function primary(changes: Partial<PrimaryView> = {}): PrimaryView {
  return {
    kind: 'primary',
    serverNowMs: NOW_MS,
    flushedLsn: '0/1000',
    epoch: { epoch: 1, region: 'oregon', closed: false },
    ...changes,
  };
}
