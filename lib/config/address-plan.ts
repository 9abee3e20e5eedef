import type { DeploymentConfig } from './deployment-config';

/** What is wrong with the regions' addresses: they are joined by a peering, so they must not overlap. */
export function addressPlanMistakes({ oregon, virginia }: Partial<DeploymentConfig['network']>): string[] {
  const mistakes: string[] = [];
  if (oregon?.cidr !== undefined && oregon.cidr === virginia?.cidr) {
    mistakes.push(`network.virginia.cidr: ${virginia.cidr} is Oregon's too; the two are joined and must differ`);
  }
  const zones = { oregon: ['us-west-2', oregon], virginia: ['us-east-1', virginia] } as const;
  for (const [region, [awsRegion, network]] of Object.entries(zones)) {
    const foreign = (network?.availabilityZones ?? []).filter((zone) => !String(zone).startsWith(awsRegion));
    if (foreign.length > 0)
      mistakes.push(`network.${region}.availabilityZones: ${foreign.join(', ')} is not in ${awsRegion}`);
  }
  return mistakes;
}
