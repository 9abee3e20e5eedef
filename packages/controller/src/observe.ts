import { otherRegion, PRIMARY_REGION } from '@evergrant/core/regions';
import type { AuthorityView } from './core/authority';
import type { DatabaseView } from './core/database-view';
import { type Fact, unknown } from './core/facts';
import type { Observation } from './core/observation';
import type { Ports } from './ports';

const NOT_OBSERVED: Fact = unknown('not observed: the standby region is active');
const NOT_OBSERVED_DATABASE: DatabaseView = { kind: 'unknown', reason: 'not observed: the standby region is active' };

/** Takes one sample of the active region. All probes run at the same time, so the sample is of one moment. */
export async function observe(ports: Ports, authority: AuthorityView): Promise<Observation> {
  const activeRegion = authority.region;
  const standbyRegion = otherRegion(activeRegion);
  const atMs = ports.clock.nowMs();
  // After a failover there is no follower, no witness and no gate to observe.
  const isPrimaryActive = activeRegion === PRIMARY_REGION;
  const [app, database, witness, standbyApp, follower] = await Promise.all([
    ports.apps.probe(activeRegion),
    ports.databases.view(activeRegion),
    isPrimaryActive ? ports.witness.view(activeRegion) : NOT_OBSERVED,
    isPrimaryActive ? ports.apps.probe(standbyRegion) : NOT_OBSERVED,
    isPrimaryActive ? ports.databases.view(standbyRegion) : NOT_OBSERVED_DATABASE,
  ]);
  return { activeRegion, authority, app, database, witness, standbyApp, follower, atMs, seenAtMs: ports.clock.nowMs() };
}
