import type { Lsn } from '@evergrant/core/lsn';
import type { Region } from '@evergrant/core/regions';
import { type AuthorityView, renewalFact } from './authority';
import {
  type DatabaseView,
  databaseFact,
  followerFact,
  promotableFact,
  writableOrPromotableFact,
} from './database-view';
import { down, type Fact, type Facts, unknown, up } from './facts';
import type { Policy } from './policy';
import type { OutsideView } from './views';

/**
 * One sample: the raw results of one cycle's probes. Times are milliseconds since 1970 on the controller's clock: `atMs`
 * before the first probe was sent, `seenAtMs` after the last answer arrived.
 */
export interface Observation {
  readonly activeRegion: Region;
  readonly authority: AuthorityView;
  readonly app: Fact;
  readonly database: DatabaseView;
  readonly witness: Fact;
  readonly standbyApp: Fact;
  /** The database of the standby region: a follower, unless that region has not rejoined. */
  readonly follower: DatabaseView;
  /** What a customer gets at the public address. */
  readonly outside: OutsideView;
  readonly atMs: number;
  readonly seenAtMs: number;
}

/** Derives the facts of a sample: the state of the active region, and whether the standby could take over. */
export function judge(observation: Observation, policy: Policy): Facts {
  return {
    app: observation.app,
    database: databaseFact(observation.database),
    follower: followerFact(observation.follower, policy),
    witness: observation.witness,
    renewal: renewalFact(observation.authority, policy),
    standby: standbyFact(observation.standbyApp, promotableFact(observation.follower)),
  };
}

/** What the answer to an operator's request rests on. */
export interface Takeover {
  /** The gate. */
  readonly standby: Fact;
  /** The gate for an operator who accepts a loss: a database that does not follow any more may take over, too. */
  readonly standbyWithLoss: Fact;
  readonly outside: OutsideView;
}

export function standbyOf({
  standbyApp,
  follower,
  outside,
}: Pick<Observation, 'standbyApp' | 'follower' | 'outside'>): Takeover {
  return {
    standby: standbyFact(standbyApp, promotableFact(follower)),
    standbyWithLoss: standbyFact(standbyApp, writableOrPromotableFact(follower)),
    outside,
  };
}

/** The gate: its servers answer and its follower can be promoted. Missing evidence keeps it shut. */
export function standbyFact(app: Fact, promotable: Fact): Fact {
  if (app.reading === 'down') return down(`its license servers do not answer: ${app.reason}`);
  if (promotable.reading === 'down') return down(promotable.reason);
  if (app.reading === 'unknown') return unknown(`its license servers could not be probed: ${app.reason}`);
  if (promotable.reading === 'unknown') return unknown(promotable.reason);
  return up('its license servers answer and its follower replays');
}

/**
 * The latest time, on the controller's clock, at which the active region is known to have been alive by evidence other
 * than the controller's probes. Ages are computed on the clock that wrote the times, so clocks may differ. `receivedLsn`
 * is the follower's position in the previous sample.
 */
export function lastSignOfLifeAtMs(observation: Observation, receivedLsn: Lsn | undefined): number | undefined {
  const { authority, follower, atMs } = observation;
  const signs: number[] = [];
  if (authority.renewedAtMs !== undefined) signs.push(atMs - (authority.readAtMs - authority.renewedAtMs));
  const heardAtMs = follower.kind === 'follower' ? follower.receiver?.lastMessageAtMs : undefined;
  if (follower.kind === 'follower' && heardAtMs !== undefined) signs.push(atMs - (follower.serverNowMs - heardAtMs));
  // The time of arrival is not known: at the latest now.
  if (hasReceived(receivedLsn, follower)) signs.push(atMs);
  return signs.length === 0 ? undefined : Math.max(...signs);
}

/** The receiver in the previous samples: since when it was absent, and how far the follower had received then. */
export interface ReceiverMemory {
  readonly receiverAbsentSinceMs: number | undefined;
  readonly receivedLsn: Lsn | undefined;
}

/**
 * Since when the follower has had no connection to its primary without interruption; undefined: it has one. A connection
 * that existed only between two observations shows in the received position, and may have acknowledged. Then the absence
 * starts again.
 */
export function receiverAbsentSinceMs(
  previous: ReceiverMemory,
  view: DatabaseView,
  seenAtMs: number,
): number | undefined {
  if (view.kind !== 'follower' || view.receiver !== undefined) return undefined;
  if (hasReceived(previous.receivedLsn, view)) return seenAtMs;
  return previous.receiverAbsentSinceMs ?? seenAtMs;
}

/** The received position of the follower. If the view has none, the previous one is kept. */
export function receivedLsn(previous: Lsn | undefined, view: DatabaseView): Lsn | undefined {
  return view.kind === 'follower' ? (view.receivedLsn ?? previous) : previous;
}

/**
 * Has the follower received anything since? Without a connection its position does not move. If no previous position is
 * known, the position counts as moved, because the time of arrival is unknown.
 */
function hasReceived(previous: Lsn | undefined, view: DatabaseView): boolean {
  return view.kind === 'follower' && view.receivedLsn !== undefined && view.receivedLsn !== previous;
}
