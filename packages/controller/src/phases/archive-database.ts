import { lsnDistanceBytes } from '@evergrant/core/lsn';
import { followerFact } from '../core/database-view';
import { followerEvidence } from '../core/follower-evidence';
import { type DatabaseServiceView, databaseServiceReason } from '../core/views';
import { type DatabasesView, observeDatabases } from './observe-databases';
import type { PhaseContext, PhaseDefinition, PhaseFinding } from './phase';

export interface ArchiveDatabaseView {
  readonly service: DatabaseServiceView;
  /** Observed only when the service reports a follower. */
  readonly databases: DatabasesView | undefined;
}

type Observed =
  | 'running'
  | 'failed'
  | 'busy'
  | 'unreachable'
  | 'archived'
  | 'following'
  | 'follower_silent'
  | 'follower_lost';

/** Renames the region's old database, or a lost follower, so that a new follower can be built and the data is kept. */
export const archiveDatabase: PhaseDefinition<ArchiveDatabaseView, Observed, 'archive_database'> = {
  observe: async (ports, operation) => {
    const service = await ports.databaseService.view(operation.toRegion);
    const databases = isFollower(service) ? await observeDatabases(ports, operation) : undefined;
    return { service, databases };
  },
  classify,
  transitions: {
    running: {
      effect: 'archive_database',
      next: 'stay',
      why: 'The data may be needed for reconciliation: it is archived, never deleted.',
    },
    failed: { effect: 'archive_database', next: 'stay', why: 'The command may be repeated.' },
    busy: { effect: 'none', next: 'stay', why: 'The database service is working.' },
    unreachable: { effect: 'none', next: 'stay', why: 'The database service must confirm the result.' },
    archived: { effect: 'none', next: 'next', why: 'A new follower can be built.' },
    following: {
      effect: 'none',
      next: 'next',
      why: 'The database is a follower of the active region already: it holds no separate data.',
    },
    follower_silent: {
      effect: 'none',
      next: 'stay',
      why: 'The follower is behind and replays nothing. It may recover, and a new copy takes long.',
    },
    follower_lost: {
      effect: 'archive_database',
      next: 'stay',
      why: 'The follower has replayed nothing for long although its primary answers: the missing log will not arrive.',
    },
  },
  effects: {
    archive_database: ({ ports, operation }) => ports.databaseService.archive(operation.toRegion),
  },
};

/** An incomplete follower is a follower: the next phase completes it. */
function isFollower({ kind }: DatabaseServiceView): boolean {
  return kind === 'following' || kind === 'incomplete';
}

/**
 * A follower holds no separate data and stays in place, unless it is lost: it is behind a primary database that
 * answers, and its replay does not move. The database service may report a lost follower as following indefinitely.
 */
function classify({ service, databases }: ArchiveDatabaseView, context: PhaseContext): PhaseFinding<Observed> {
  const reason = databaseServiceReason(service);
  if (service.kind === 'building') return { observed: 'busy', reason };
  if (service.kind === 'incomplete' || service.kind === 'following') {
    return databases === undefined ? { observed: 'following', reason } : classifyFollower(databases, reason, context);
  }
  return { observed: service.kind, reason };
}

function classifyFollower(
  { origin, target }: DatabasesView,
  reason: string,
  { operation, policy, nowMs }: PhaseContext,
): PhaseFinding<Observed> {
  if (origin.kind !== 'primary' || target.kind !== 'follower' || target.replayPaused) {
    return { observed: 'following', reason };
  }
  const behindBytes =
    target.replayedLsn === undefined ? undefined : lsnDistanceBytes(target.replayedLsn, origin.flushedLsn);
  const hears = followerFact(target, policy).reading === 'up';
  if (hears && behindBytes !== undefined && behindBytes <= policy.keepsUpWithinBytes) {
    return { observed: 'following', reason };
  }
  const evidence = followerEvidence(target, operation.evidence, nowMs);
  const stillForMs = nowMs - (evidence.replayMovedAtMs ?? nowMs);
  const silence = `it is ${behindBytes ?? 'an unknown number of'} bytes behind and has replayed nothing for ${stillForMs} ms`;
  return stillForMs >= policy.followerLostAfterMs
    ? { observed: 'follower_lost', reason: silence, evidence }
    : { observed: 'follower_silent', reason: silence, evidence };
}
