import { type AuthorityRecord, type Freshness, type Proofs, proofVerdict } from './authority';

/** The newest epoch in the license database, open or closed. */
export interface EpochRow {
  readonly epoch: number;
  readonly region: string;
  readonly closed: boolean;
}

export type DatabaseFact =
  | { readonly kind: 'unknown' }
  /** The epoch is the one last seen. It serves to redirect callers, not to grant. */
  | { readonly kind: 'unreachable'; readonly epoch: EpochRow | undefined }
  | { readonly kind: 'read_only'; readonly epoch: EpochRow | undefined }
  /** The schema is of an earlier release. Writes of this release are not tested against it. */
  | { readonly kind: 'outdated'; readonly epoch: EpochRow | undefined; readonly schema: SchemaAge }
  | { readonly kind: 'writable'; readonly epoch: EpochRow | undefined };

/** Numbers of migrations. */
export interface SchemaAge {
  /** Undefined when the schema is of a release that did not record its migration. */
  readonly found: number | undefined;
  readonly needed: number;
}

export type NotGrantingReason =
  | 'starting'
  | 'draining'
  | 'database_unreachable'
  | 'database_read_only'
  | 'schema_outdated'
  | 'authority_elsewhere'
  | 'authority_unproven'
  | 'epoch_not_open'
  | 'epoch_closed';

export interface RoleFacts {
  readonly region: string;
  readonly draining: boolean;
  readonly database: DatabaseFact;
  /** The newest authority record seen since this server started. Undefined until the store has answered once. */
  readonly authority: AuthorityRecord | undefined;
  readonly proofs: Proofs;
}

export type RoleVerdict =
  | { readonly kind: 'granting'; readonly epoch: number }
  /** This region holds proven authority and the database is writable, but the epoch is not opened yet (S4). */
  | { readonly kind: 'must_open_epoch'; readonly epoch: number }
  | { readonly kind: 'not_granting'; readonly reason: NotGrantingReason };

/**
 * The one rule: a server grants if, and only if, its database is writable and its region holds a fresh proof of
 * authority. Every missing piece of evidence denies.
 */
export function roleVerdict(facts: RoleFacts, freshness: Freshness): RoleVerdict {
  if (facts.draining) return { kind: 'not_granting', reason: 'draining' };
  switch (facts.database.kind) {
    case 'unknown':
      return { kind: 'not_granting', reason: 'starting' };
    case 'unreachable':
      return { kind: 'not_granting', reason: 'database_unreachable' };
    case 'read_only':
      return { kind: 'not_granting', reason: 'database_read_only' };
    case 'outdated':
      return { kind: 'not_granting', reason: 'schema_outdated' };
    case 'writable':
      return authorityVerdict(facts, facts.database.epoch, freshness);
  }
}

function authorityVerdict(facts: RoleFacts, row: EpochRow | undefined, freshness: Freshness): RoleVerdict {
  const { authority, proofs, region } = facts;
  if (authority && authority.epoch > (row?.epoch ?? 0)) return verdictOnNewEpoch(authority, facts, freshness);
  if (!row) return { kind: 'not_granting', reason: 'authority_unproven' };
  if (row.region !== region) return { kind: 'not_granting', reason: 'authority_elsewhere' };
  if (row.closed) return { kind: 'not_granting', reason: 'epoch_closed' };
  if (proofVerdict(proofs, row.epoch, freshness).kind === 'stale') {
    return { kind: 'not_granting', reason: 'authority_unproven' };
  }
  return { kind: 'granting', epoch: row.epoch };
}

/** The verdict when the authority store has an epoch that the database does not have yet. */
function verdictOnNewEpoch(authority: AuthorityRecord, facts: RoleFacts, freshness: Freshness): RoleVerdict {
  if (authority.region !== facts.region) return { kind: 'not_granting', reason: 'authority_elsewhere' };
  if (!authority.open) return { kind: 'not_granting', reason: 'epoch_not_open' };
  // Only a renewal proves such an epoch: the follower's acknowledgement proves the epochs before it.
  const { renewal } = facts.proofs;
  const proof = proofVerdict(renewal ? { renewal } : {}, authority.epoch, freshness);
  return proof.kind === 'fresh'
    ? { kind: 'must_open_epoch', epoch: authority.epoch }
    : { kind: 'not_granting', reason: 'authority_unproven' };
}

/**
 * Checks, after the commit and before a grant is acknowledged, that `epoch` is still the newest known and still proven.
 * The database is not queried again, because it has just committed.
 */
export function mayAcknowledge(epoch: number, facts: RoleFacts, freshness: Freshness): boolean {
  const newest = newestEpoch(facts);
  if (newest && (newest.epoch !== epoch || newest.region !== facts.region)) return false;
  return proofVerdict(facts.proofs, epoch, freshness).kind === 'fresh';
}

/** The newest epoch known from either source. A refused caller is redirected to its region. */
export function newestEpoch(
  facts: Pick<RoleFacts, 'authority' | 'database'>,
): { epoch: number; region: string } | undefined {
  const { authority, database } = facts;
  const row = database.kind === 'unknown' ? undefined : database.epoch;
  if (authority && row) return authority.epoch >= row.epoch ? authority : row;
  return authority ?? row;
}

export type EpochVerdict =
  | { readonly kind: 'open' }
  | { readonly kind: 'not_granting'; readonly reason: NotGrantingReason };

/** Checked in every granting transaction, under the shared epoch lock, against the current row. */
export function epochVerdict(row: EpochRow | undefined, expected: { epoch: number; region: string }): EpochVerdict {
  if (!row || row.epoch < expected.epoch) return { kind: 'not_granting', reason: 'epoch_not_open' };
  if (row.region !== expected.region || row.epoch > expected.epoch) {
    return { kind: 'not_granting', reason: 'authority_elsewhere' };
  }
  return row.closed ? { kind: 'not_granting', reason: 'epoch_closed' } : { kind: 'open' };
}
