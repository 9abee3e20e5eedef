import type { Pool } from 'pg';
import { type ControlRoomState, isScope } from '../../auth/core/caller';
import { withConnection } from '../../platform/postgres/connection';
import type { FoundToken } from '../store';

/** The database's clock decides whether a token has expired. */
const FIND_API_TOKENS = `
select encode(t.token_sha256, 'hex') as sha256, t.name, t.scopes,
  case when isfinite(t.expires_at) then extract(epoch from t.expires_at - clock_timestamp()) * 1000 end::float8
    as expires_in_ms,
  t.control_room, r.license_id, r.state, l.grace_seconds
from api_token t
left join (control_room r join license l on l.id = r.license_id) on r.id = t.control_room
where t.token_sha256 = any($1::bytea[]) and t.revoked_at is null and t.expires_at > clock_timestamp()`;

interface TokenRow {
  sha256: string;
  name: string;
  scopes: string[];
  expires_in_ms: number | null;
  control_room: string | null;
  license_id: string | null;
  state: ControlRoomState | null;
  grace_seconds: number | null;
}

/** Returns the valid tokens among the given hashes (SHA-256 in hex), keyed by hash. */
export async function findApiTokens(database: Pool, sha256s: readonly string[]): Promise<Map<string, FoundToken>> {
  const result = await withConnection(database, (client) =>
    client.query<TokenRow>({
      name: 'find-api-tokens',
      text: FIND_API_TOKENS,
      values: [sha256s.map((sha256) => Buffer.from(sha256, 'hex'))],
    }),
  );
  return new Map(result.rows.map((row) => [row.sha256, foundToken(row)]));
}

function foundToken(row: TokenRow): FoundToken {
  const { name, control_room: controlRoom, license_id: licenseId, state, grace_seconds: graceSeconds } = row;
  const scopes = row.scopes.filter(isScope);
  const bound =
    controlRoom !== null && licenseId !== null && state !== null && graceSeconds !== null
      ? { controlRoom, licenseId, controlRoomState: state, graceSeconds }
      : {};
  return { caller: { name, scopes, ...bound }, expiresInMs: row.expires_in_ms ?? undefined };
}
