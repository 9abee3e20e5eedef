import { PRIMARY_REGION, type Region } from '@evergrant/core/regions';
import type { ControlRecord } from './control-record';

/**
 * Has the standby region not rejoined since the active one took over? Until it has, its database may lack commits of the
 * active region, so no automatic failover happens. A record of an earlier release has only the stages of a failback.
 */
export function isRejoinPending(
  { rejoinPending, failbackDoneAtMs }: Pick<ControlRecord, 'rejoinPending' | 'failbackDoneAtMs'>,
  activeRegion: Region,
): boolean {
  if (rejoinPending !== undefined) return rejoinPending;
  if (activeRegion !== PRIMARY_REGION) return failbackDoneAtMs.follow === undefined;
  return failbackDoneAtMs.switchover !== undefined && failbackDoneAtMs['restore-follower'] === undefined;
}
