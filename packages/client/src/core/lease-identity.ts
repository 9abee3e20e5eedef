/** Seats that one installation may hold several leases of. */
export interface SeatSpec {
  readonly licenseId?: string | undefined;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
}

/**
 * The name under which a server finds the lease of an installation again: the installation's own, and a number among its
 * leases of the same seats. After a restart the first checkout gets the first of its leases back, the second the
 * second, whatever order they were taken in, and no seat is burned.
 *
 * @param taken the numbers of the installation's other leases of the same seats.
 */
export function leaseIdentity(installation: string, taken: ReadonlySet<number>): { identity: string; number: number } {
  let number = 1;
  while (taken.has(number)) number += 1;
  return { identity: number === 1 ? installation : `${installation}#${number}`, number };
}

/** The number that a kept identity stands for; undefined when another installation made it, or the host itself. */
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
