import { createHash, randomBytes } from 'node:crypto';
import type { World } from '../two-region/world/world';

/** A customer installation of a drill. */
export interface DrillRoom {
  readonly guid: string;
  readonly name: string;
}

export interface RegisteredRoom extends DrillRoom {
  /** The bearer token that it drew; only the hash left it. */
  readonly token: string;
}

export interface RegistrationAnswer {
  readonly status: number;
  readonly code: string | undefined;
  readonly token: string;
}

/** Registers with the license key, as an installation does that was just set up. */
export async function register(world: World, { guid, name }: DrillRoom): Promise<RegistrationAnswer> {
  const token = randomBytes(24).toString('base64url');
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

/** @throws Error when one is refused. */
export function registerAll(world: World, rooms: readonly DrillRoom[]): Promise<RegisteredRoom[]> {
  return Promise.all(
    rooms.map(async (room) => {
      const { status, code, token } = await register(world, room);
      if (status !== 201) throw new Error(`${room.name} was not registered: ${status} ${code ?? ''}`);
      return { ...room, token };
    }),
  );
}
