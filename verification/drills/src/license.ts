export interface DrillEntitlement {
  readonly feature: string;
  readonly seats: number;
  readonly overdraft?: number;
  readonly leaseTtlSeconds: number;
  readonly escrow: number;
  readonly borrowSecondsMax?: number;
  readonly reservations?: readonly { readonly controlRoom: string; readonly seats: number }[];
}

/** A license without validity and license key; the local cluster issues it. */
export interface DrillLicense {
  readonly licenseId: string;
  readonly customer: string;
  readonly product: string;
  readonly kind: 'cloud' | 'guid' | 'redundant';
  readonly controlRoom?: string;
  readonly servers?: readonly string[];
  readonly entitlements: readonly DrillEntitlement[];
}

/** The default license: a contended pool and a large one. */
export const DRILL_LICENSE: DrillLicense = {
  licenseId: '0b8e4c0e-5f5e-4a53-9d0c-3f5a6d9b7f11',
  customer: 'Drill',
  product: 'automation',
  kind: 'cloud',
  entitlements: [
    { feature: 'contended', seats: 12, leaseTtlSeconds: 30, escrow: 4 },
    { feature: 'roomy', seats: 2000, leaseTtlSeconds: 30, escrow: 100 },
  ],
};

export const poolName = (product: string, feature: string): string => `${product}/${feature}`;

/** Seats of each pool: as sold, or with the overdraft. */
export function seatsOf(
  { product, entitlements }: DrillLicense,
  what: 'sold' | 'capacity',
): ReadonlyMap<string, number> {
  return new Map(
    entitlements.map(({ feature, seats, overdraft = 0 }) => [
      poolName(product, feature),
      what === 'sold' ? seats : seats + overdraft,
    ]),
  );
}
