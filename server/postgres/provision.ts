import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import type { Scope } from '../core/access';

/** Licenses as the vendor sells them: each entitlement becomes a pool. */
export interface LicenseFile {
  readonly licenseId: string;
  readonly customer: string;
  readonly product: string;
  readonly entitlements: readonly {
    readonly feature: string;
    readonly seats: number;
    /** @default 600 */
    readonly leaseTtlSeconds?: number;
    /** @default a tenth of the seats, at least one */
    readonly escrow?: number;
  }[];
}

export interface TokenFileEntry {
  readonly name: string;
  readonly token: string;
  readonly scopes: readonly Scope[];
}

export const LEASE_TTL_SECONDS_DEFAULT = 600;

export function escrowDefault(seats: number): number {
  return Math.min(seats, Math.max(1, Math.ceil(seats / 10)));
}

const PROVISION_POOL = `
insert into pool (license_id, product, feature, seats, lease_ttl_seconds, escrow) values ($1, $2, $3, $4, $5, $6)
on conflict (license_id, product, feature) do update
  set seats = excluded.seats, lease_ttl_seconds = excluded.lease_ttl_seconds, escrow = excluded.escrow`;

/**
 * Makes the pools match the license; doing it twice changes nothing. Shrinking a pool below what is taken is refused
 * by the database. Throws with the feature named.
 */
export async function provisionLicense(client: Client, license: LicenseFile): Promise<void> {
  await client.query('begin');
  try {
    await client.query(
      `insert into license (id, customer, product) values ($1, $2, $3)
       on conflict (id) do update set customer = excluded.customer, product = excluded.product`,
      [license.licenseId, license.customer, license.product],
    );
    for (const entitlement of license.entitlements) await provisionPool(client, license, entitlement);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

async function provisionPool(
  client: Client,
  { licenseId, product }: LicenseFile,
  { feature, seats, leaseTtlSeconds, escrow }: LicenseFile['entitlements'][number],
): Promise<void> {
  const values = [
    licenseId,
    product,
    feature,
    seats,
    leaseTtlSeconds ?? LEASE_TTL_SECONDS_DEFAULT,
    escrow ?? escrowDefault(seats),
  ];
  try {
    await client.query(PROVISION_POOL, values);
  } catch (cause) {
    const shrunk = (cause as { constraint?: string }).constraint === 'pool_never_oversold';
    const why = shrunk
      ? `more than ${seats} seats are in use or held back`
      : `${cause instanceof Error ? cause.message : cause}`;
    throw new Error(`${product}/${feature} cannot be provisioned: ${why}`, { cause });
  }
}

/** Registers tokens by name; only their hashes are stored. A token of the same name is replaced. */
export async function registerTokens(client: Client, tokens: readonly TokenFileEntry[]): Promise<void> {
  for (const { name, token, scopes } of tokens) {
    await client.query(
      `insert into api_token (name, token_sha256, scopes) values ($1, $2, $3)
       on conflict (name) do update set token_sha256 = excluded.token_sha256, scopes = excluded.scopes`,
      [name, createHash('sha256').update(token).digest(), scopes],
    );
  }
}
