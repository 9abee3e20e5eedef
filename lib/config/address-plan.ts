import type { Region } from '@evergrant/core/regions';

/** Availability zones of the region itself. Local Zones and Wavelength Zones have longer names. */
const ZONES: Readonly<Record<Region, RegExp>> = { oregon: /^us-west-2[a-d]$/, virginia: /^us-east-1[a-f]$/ };
const ZONE_RANGES: Readonly<Record<Region, string>> = {
  oregon: 'us-west-2a to us-west-2d',
  virginia: 'us-east-1a to us-east-1f',
};

interface RegionPlan {
  readonly cidr?: string;
  readonly availabilityZones?: readonly (string | undefined)[];
}

/** The validation errors of the address plan. The regions are peered, so their address ranges must not overlap. */
export function addressPlanErrors(network: { readonly [R in Region]?: RegionPlan }): string[] {
  const { oregon, virginia } = network;
  const errors: string[] = [];
  // Each is a 10.x.0.0/16, so they overlap only when they are equal.
  if (oregon?.cidr !== undefined && oregon.cidr === virginia?.cidr) {
    errors.push(
      `network.virginia.cidr: ${virginia.cidr} must differ from network.oregon.cidr because the networks are peered`,
    );
  }
  for (const region of ['oregon', 'virginia'] as const) {
    const unknown = (network[region]?.availabilityZones ?? []).filter(
      (zone) => zone !== undefined && !ZONES[region].test(zone),
    );
    if (unknown.length > 0) {
      errors.push(
        `network.${region}.availabilityZones: ${unknown.join(', ')} is not a zone of the region; its zones are ${ZONE_RANGES[region]}`,
      );
    }
  }
  return errors;
}
