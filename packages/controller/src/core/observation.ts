import type { Lsn } from '@evergrant/core/lsn';
import type { Region } from '@evergrant/core/regions';
import { type AuthorityView, renewalFact } from './authority';
import { type DatabaseView, databaseFact, followerFact, promotableFact } from './database-view';
import { down, type Fact, type Facts, unknown, up } from './facts';
import type { Policy } from './policy';

/**
 * One sample: everything a cycle saw, raw. Times are milliseconds since 1970 on the controller's clock: `atMs` before
 * the first probe went out, `seenAtMs` after the last answer came in.
 */
export interface Observation {
  readonly activeRegion: Region;
  readonly authority: AuthorityView;
  readonly app: Fact;
  readonly database: DatabaseView;
  readonly witness: Fact;
  readonly standbyApp: Fact;
  readonly follower: DatabaseView;
  readonly atMs: number;
  readonly seenAtMs: number;
}

/** Judges a sample: what each look says about the active region, and whether the standby could take over. */
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

/** The gate: its servers live and its follower can be promoted. Missing evidence keeps it shut. */
export function standbyFact(app: Fact, promotable: Fact): Fact {
  if (app.reading === 'down') return down(`its license servers do not answer: ${app.reason}`);
  if (promotable.reading === 'down') return down(promotable.reason);
  if (app.reading === 'unknown') return unknown(`its license servers could not be asked: ${app.reason}`);
  if (promotable.reading === 'unknown') return unknown(promotable.reason);
  return up('its license servers answer and its follower replays');
}

/**
 * The latest moment, on the controller's clock, at which the active region is known to have been alive by evidence
 * other than our probes. Ages are taken on the clock that wrote them, so clocks that disagree do no harm. `receivedLsn`
 * is the follower's at the sample before.
 */
export function lastSignOfLifeAtMs(observation: Observation, receivedLsn: Lsn | null): number | null {
  const { authority, follower, atMs } = observation;
  const signs: number[] = [];
  if (authority.renewedAtMs !== null) signs.push(atMs - (authority.readAtMs - authority.renewedAtMs));
  const heardAtMs = follower.kind === 'follower' ? (follower.receiver?.lastMessageAtMs ?? null) : null;
  if (follower.kind === 'follower' && heardAtMs !== null) signs.push(atMs - (follower.serverNowMs - heardAtMs));
  // When it arrived is not known: at the latest now.
  if (hasReceived(receivedLsn, follower)) signs.push(atMs);
  return signs.length === 0 ? null : Math.max(...signs);
}

/** What the looks before have left: since when the receiver was absent, and how far the follower had received then. */
export interface ReceiverMemory {
  readonly receiverAbsentSinceMs: number | null;
  readonly receivedLsn: Lsn | null;
}

/**
 * Since when, without a break, the follower has had no connection to its primary. Null: it has one. A connection that
 * came and went between two looks shows in what was received by it, and may have acknowledged: the absence starts anew.
 */
export function receiverAbsentSinceMs(previous: ReceiverMemory, view: DatabaseView, seenAtMs: number): number | null {
  if (view.kind !== 'follower' || view.receiver !== null) return null;
  if (hasReceived(previous.receivedLsn, view)) return seenAtMs;
  return previous.receiverAbsentSinceMs ?? seenAtMs;
}

/** How far the follower is known to have received; one that cannot say leaves what was known before. */
export function receivedLsn(previous: Lsn | null, view: DatabaseView): Lsn | null {
  return view.kind === 'follower' ? (view.receivedLsn ?? previous) : previous;
}

/**
 * Has the follower received anything since? Without a connection its position stands still. One that was not known
 * before counts as moved: it cannot be said when it arrived.
 */
function hasReceived(previous: Lsn | null, view: DatabaseView): boolean {
  return view.kind === 'follower' && view.receivedLsn !== null && view.receivedLsn !== previous;
}
