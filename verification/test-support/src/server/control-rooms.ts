import { randomBytes, randomUUID } from 'node:crypto';
import { sha256Of } from '@evergrant/server/api-tokens/api-token-verifier';
import type { LicenseDraft } from './test-licenses';
import { LICENSE, type RunningServer, type TestResponse, type TestWorld } from './test-world';

/** A Control TestRoom as it stands beside its own installation: its GUID, and the token it drew. */
export interface TestRoom {
  readonly guid: string;
  token: string;
}

export const drawToken = (): string => `egc_${randomBytes(24).toString('base64url')}`;
export const newRoom = (): TestRoom => ({ guid: randomUUID(), token: drawToken() });

let issue = 1;

/** Gives the tests' license a license key, in a new issue. Resolves to the key. */
export async function giveLicenseKey(world: TestWorld, more: Partial<LicenseDraft> = {}): Promise<string> {
  const licenseKey = randomUUID();
  issue += 1;
  await world.importLicense({ ...LICENSE, issue, licenseKey, ...more });
  return licenseKey;
}

/** A further license, of another product. Resolves to its license key. */
export async function addLicense(
  world: TestWorld,
  { licenseId, ...kind }: { licenseId: string; kind?: 'guid'; controlRoom?: string },
): Promise<string> {
  const licenseKey = randomUUID();
  const entitlements = [{ feature: 'studio', seats: 5 }];
  await world.importLicense({ licenseId, customer: 'Beta', product: 'Other', licenseKey, ...kind, entitlements });
  return licenseKey;
}

export function register(
  server: RunningServer,
  room: TestRoom,
  licenseKey: string,
  more: object = {},
): Promise<TestResponse> {
  const body = { licenseKey, name: 'Plant 7', tokenSha256: sha256Of(room.token), ...more };
  return server.call('PUT', `/v1/control-rooms/${room.guid}`, body, null);
}
