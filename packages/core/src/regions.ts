/** The two regions, by design: the primary and the standby never change their names; what changes is who is active. */
export type Region = 'oregon' | 'virginia';

export const PRIMARY_REGION: Region = 'oregon';
export const STANDBY_REGION: Region = 'virginia';

export const REGIONS: readonly Region[] = [PRIMARY_REGION, STANDBY_REGION];

export function otherRegion(region: Region): Region {
  return region === PRIMARY_REGION ? STANDBY_REGION : PRIMARY_REGION;
}
