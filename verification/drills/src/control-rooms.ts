import { createHash, randomBytes } from 'node:crypto';
import type { World } from '@evergrant/local-cluster/world/world';

/** A customer installation of a drill. */
export interface DrillRoom {
  readonly guid: string;
  readonly name: string;
}

/** The identity with which an installation's client registers. */
export interface RoomToRegister extends DrillRoom {
  readonly licenseKey: string;
  /** Its own bearer token; only the hash is sent. */
  readonly token: string;
}

const drawToken = (): string => randomBytes(24).toString('base64url');

export function roomsToRegister(world: World, rooms: readonly DrillRoom[]): RoomToRegister[] {
  const licenseKey = world.licenses[0]?.licenseKey ?? '';
  return rooms.map((room) => ({ ...room, licenseKey, token: drawToken() }));
}

export interface RegistrationAnswer {
  readonly status: number;
  readonly code: string | undefined;
  readonly token: string;
}

/** One attempt to register with the license key, like a new installation. */
export async function registerControlRooms(world: World, { guid, name }: DrillRoom): Promise<RegistrationAnswer> {
  const token = drawToken();
  const [license] = world.licenses;
  const answer = await fetch(`${world.layout.url('edge')}/v1/control-rooms/${guid}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      licenseKey: license?.licenseKey,
      name,
      tokenSha256: createHash('sha256').update(token).digest('hex'),
    }),
    signal: AbortSignal.timeout(5_000),
  });
  const { code } = (await answer.json()) as { code?: string };
  return { status: answer.status, code, token };
}
