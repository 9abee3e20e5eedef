import { otherRegion, PRIMARY_REGION } from '@evergrant/core/regions';
import type { AuthorityView } from './core/authority';
import type { DatabaseView } from './core/database-view';
import { type Fact, unknown } from './core/facts';
import type { Observation } from './core/observation';
import type { Ports } from './ports';

const UNWATCHED: Fact = unknown('nothing stands behind the standby region');
const UNWATCHED_DATABASE: DatabaseView = { kind: 'unknown', reason: 'nothing stands behind the standby region' };

/** Takes one sample of the active region: every look at once, so that the sample is of one moment. */
export async function observe(ports: Ports, authority: AuthorityView): Promise<Observation> {
  const activeRegion = authority.region;
  const standbyRegion = otherRegion(activeRegion);
  const atMs = ports.clock.nowMs();
  // A failed-over world is only watched: there is no follower, no witness and no gate to ask.
  const isAtHome = activeRegion === PRIMARY_REGION;
  const [app, database, witness, standbyApp, follower] = await Promise.all([
    ports.apps.probe(activeRegion),
    ports.databases.view(activeRegion),
    isAtHome ? ports.witness.view(activeRegion) : UNWATCHED,
    isAtHome ? ports.apps.probe(standbyRegion) : UNWATCHED,
    isAtHome ? ports.databases.view(standbyRegion) : UNWATCHED_DATABASE,
  ]);
  return { activeRegion, authority, app, database, witness, standbyApp, follower, atMs, seenAtMs: ports.clock.nowMs() };
}
