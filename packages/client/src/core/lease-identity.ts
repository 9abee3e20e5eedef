/** The seats of a lease. An installation may hold several leases of the same seats. */
export interface SeatSpec {
  readonly licenseId?: string | undefined;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
}

/**
 * Returns the identity by which a server finds a lease of the installation: its name and a number among its leases of the
 * same seats. After a restart, the first checkout gets the first lease back and the second checkout the second, so no seat
 * is lost.
 *
 * @param taken numbers of the installation's other leases of the same seats
 */
export function leaseIdentity(installation: string, taken: ReadonlySet<number>): { identity: string; number: number } {
  let number = 1;
  while (taken.has(number)) number += 1;
  return { identity: number === 1 ? installation : `${installation}#${number}`, number };
}

/** Number of a stored identity; undefined when the identity was created by another installation or the application. */
export function identityNumber(installation: string | undefined, identity: string | undefined): number | undefined {
  if (installation === undefined || identity === undefined) return undefined;
  if (identity === installation) return 1;
  const number = identity.startsWith(`${installation}#`) ? Number(identity.slice(installation.length + 1)) : Number.NaN;
  return Number.isSafeInteger(number) && number > 1 ? number : undefined;
}

export function sameSeats(one: SeatSpec, other: SeatSpec): boolean {
  return (
    one.product === other.product &&
    one.feature === other.feature &&
    one.seats === other.seats &&
    (one.licenseId === undefined || other.licenseId === undefined || one.licenseId === other.licenseId)
  );
}
