import { randomBytes, randomUUID } from 'node:crypto';
import { licenseKeySha256 } from '../../../license-files/license-key';
import { sha256Of } from '../../../server/duties/api-tokens';
import type { Answer, RunningServer, TestWorld } from '../support/test-world';

/** A Control Room as it stands beside its own installation: its GUID, and the token it drew. */
export interface Room {
  readonly guid: string;
  token: string;
}

export const drawToken = (): string => `egc_${randomBytes(24).toString('base64url')}`;
export const newRoom = (): Room => ({ guid: randomUUID(), token: drawToken() });

/** Gives a license a license key. Resolves to the key. */
export async function giveLicenseKey(world: TestWorld, licenseId = 'lic-1'): Promise<string> {
  const key = randomUUID();
  await world.database.query(`update license set license_key_sha256 = decode($1, 'hex') where id = $2`, [
    licenseKeySha256(key),
    licenseId,
  ]);
  return key;
}

/** A further license of the same product. Resolves to its license key. */
export async function addLicense(
  world: TestWorld,
  { licenseId, kind = 'cloud', controlRoom }: { licenseId: string; kind?: 'cloud' | 'guid'; controlRoom?: string },
): Promise<string> {
  await world.database.query(
    `insert into license (id, customer, product, kind, control_room) values ($1, 'Beta', 'Other', $2, $3)`,
    [licenseId, kind, controlRoom ?? null],
  );
  await world.database.query(
    `insert into pool (license_id, product, feature, seats, lease_ttl_seconds, escrow)
     values ($1, 'Other', 'studio', 5, 600, 1)`,
    [licenseId],
  );
  return giveLicenseKey(world, licenseId);
}

export function register(server: RunningServer, room: Room, licenseKey: string, more: object = {}): Promise<Answer> {
  const body = { licenseKey, name: 'Plant 7', tokenSha256: sha256Of(room.token), ...more };
  return server.call('PUT', `/v1/control-rooms/${room.guid}`, body, null);
}
