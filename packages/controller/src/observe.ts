import { otherRegion, type Region } from '@evergrant/core/regions';
import type { AuthorityView } from './core/authority';
import { type Observation, standbyOf, type Takeover } from './core/observation';
import type { Ports } from './ports';

/** Takes one sample of both regions. All probes run at the same time, so the sample is of one moment. */
export async function observe(ports: Ports, authority: AuthorityView): Promise<Observation> {
  const activeRegion = authority.region;
  const standbyRegion = otherRegion(activeRegion);
  const atMs = ports.clock.nowMs();
  const [app, database, witness, standbyApp, follower, outside] = await Promise.all([
    ports.apps.probe(activeRegion),
    ports.databases.view(activeRegion),
    ports.witness.view(activeRegion),
    ports.apps.probe(standbyRegion),
    ports.databases.view(standbyRegion),
    ports.edge.outside(),
  ]);
  const seenAtMs = ports.clock.nowMs();
  return { activeRegion, authority, app, database, witness, standbyApp, follower, outside, atMs, seenAtMs };
}

/** What the answer to an operator's request rests on, observed while an operation is in progress. */
export async function observeTakeover(ports: Ports, activeRegion: Region): Promise<Takeover> {
  const standbyRegion = otherRegion(activeRegion);
  const [standbyApp, follower, outside] = await Promise.all([
    ports.apps.probe(standbyRegion),
    ports.databases.view(standbyRegion),
    ports.edge.outside(),
  ]);
  return standbyOf({ standbyApp, follower, outside });
}
