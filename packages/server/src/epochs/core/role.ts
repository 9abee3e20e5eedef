import { type AuthorityRecord, type Freshness, type Proofs, proofVerdict } from './authority';

/** The newest epoch that the license database has open, or had. */
export interface EpochRow {
  readonly epoch: number;
  readonly region: string;
  readonly closed: boolean;
}

export type DatabaseFact =
  | { readonly kind: 'unknown' }
  /** The epoch is the one last seen: enough to say where to go, not to grant in. */
  | { readonly kind: 'unreachable'; readonly epoch: EpochRow | undefined }
  | { readonly kind: 'read_only'; readonly epoch: EpochRow | undefined }
  /** Its schema is of an earlier release: what this one would write there, nobody has tried. */
  | { readonly kind: 'outdated'; readonly epoch: EpochRow | undefined; readonly schema: SchemaAge }
  | { readonly kind: 'writable'; readonly epoch: EpochRow | undefined };

/** Numbers of migrations. */
export interface SchemaAge {
  /** Undefined: of a release that did not tell. */
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
  /** The newest authority record seen since this server started; undefined until the store has answered once. */
  readonly authority: AuthorityRecord | undefined;
  readonly proofs: Proofs;
}

export type RoleVerdict =
  | { readonly kind: 'granting'; readonly epoch: number }
  /** Authority is ours and proven and the database is writable: only the epoch is still to be opened (S4). */
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

/** The store knows an epoch that the database does not. */
function verdictOnNewEpoch(authority: AuthorityRecord, facts: RoleFacts, freshness: Freshness): RoleVerdict {
  if (authority.region !== facts.region) return { kind: 'not_granting', reason: 'authority_elsewhere' };
  if (!authority.open) return { kind: 'not_granting', reason: 'epoch_not_open' };
  // Only the store can say that such an epoch is ours: an acknowledgement speaks of the epochs before it.
  const { renewal } = facts.proofs;
  const proof = proofVerdict(renewal ? { renewal } : {}, authority.epoch, freshness);
  return proof.kind === 'fresh'
    ? { kind: 'must_open_epoch', epoch: authority.epoch }
    : { kind: 'not_granting', reason: 'authority_unproven' };
}

/**
 * Asked again after the commit, before a grant is acknowledged: is `epoch` still the newest known, and still proven?
 * The database is not asked: it has just committed.
 */
export function mayAcknowledge(epoch: number, facts: RoleFacts, freshness: Freshness): boolean {
  const newest = newestEpoch(facts);
  if (newest && (newest.epoch !== epoch || newest.region !== facts.region)) return false;
  return proofVerdict(facts.proofs, epoch, freshness).kind === 'fresh';
}

/** The newest epoch known from either source; where it is, a refused caller is sent. */
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

/** Checked inside every granting transaction, under the shared epoch lock, against the row as it is now. */
export function epochVerdict(row: EpochRow | undefined, expected: { epoch: number; region: string }): EpochVerdict {
  if (!row || row.epoch < expected.epoch) return { kind: 'not_granting', reason: 'epoch_not_open' };
  if (row.region !== expected.region || row.epoch > expected.epoch) {
    return { kind: 'not_granting', reason: 'authority_elsewhere' };
  }
  return row.closed ? { kind: 'not_granting', reason: 'epoch_closed' } : { kind: 'open' };
}
