import type { Region } from '@evergrant/core/regions';

/** Availability zones that stand in the region itself; those beside a city, or of a mobile network, are named longer. */
const ZONES: Readonly<Record<Region, RegExp>> = { oregon: /^us-west-2[a-d]$/, virginia: /^us-east-1[a-f]$/ };
const ZONES_IN_WORDS: Readonly<Record<Region, string>> = {
  oregon: 'us-west-2a to us-west-2d',
  virginia: 'us-east-1a to us-east-1f',
};

interface RegionPlan {
  readonly cidr?: string;
  readonly availabilityZones?: readonly (string | undefined)[];
}

/** What is wrong with the regions' addresses: they are joined by a peering, so they must not overlap. */
export function addressPlanMistakes(network: { readonly [R in Region]?: RegionPlan }): string[] {
  const { oregon, virginia } = network;
  const mistakes: string[] = [];
  // Both are a whole 10.x.0.0/16: they overlap when they are the same.
  if (oregon?.cidr !== undefined && oregon.cidr === virginia?.cidr) {
    mistakes.push(`network.virginia.cidr: ${virginia.cidr} is Oregon's too; the two are joined and must differ`);
  }
  for (const region of ['oregon', 'virginia'] as const) {
    const foreign = (network[region]?.availabilityZones ?? []).filter(
      (zone) => zone !== undefined && !ZONES[region].test(zone),
    );
    if (foreign.length > 0) {
      mistakes.push(
        `network.${region}.availabilityZones: ${foreign.join(', ')} is no zone of the region, which has ${ZONES_IN_WORDS[region]}`,
      );
    }
  }
  return mistakes;
}
