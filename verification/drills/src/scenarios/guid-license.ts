import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DrillRoom, registerControlRooms } from '../control-rooms';
import type { Drill, DrillScenario } from '../drill';
import { DRILL_LICENSE } from '../license';
import { evergrant } from '../operator';
import { awaitLeases, injectFault } from './common';

const ROOM: DrillRoom = { guid: '9b2f6c52-77d1-4d0e-8a53-0c1f5a6e7d01', name: 'Reykjavik' };
const STRANGER: DrillRoom = { guid: '9b2f6c52-77d1-4d0e-8a53-0c1f5a6e7d02', name: 'stranger' };
const { product } = DRILL_LICENSE;

interface Call {
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  readonly token: string;
  readonly body: object;
}

async function call(drill: Drill, { method, path, token, body }: Call): Promise<{ status: number; code: string }> {
  const answer = await fetch(`${drill.world.layout.url('edge')}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(5_000),
  });
  const { code = '' } = (await answer.json()) as { code?: string };
  return { status: answer.status, code };
}

const checkOutWith = (drill: Drill, token: string): Promise<{ status: number; code: string }> =>
  call(drill, {
    method: 'PUT',
    path: `/v1/leases/${crypto.randomUUID()}`,
    token,
    body: { product, feature: 'roomy', seats: 1, holder: 'drill' },
  });

const OUT = '--out';
const FILES = new Set(['request', 'response', 'return', 'receipt', 'keys']);

/** Runs the offline commands of an administrator and of a Control Room without a network, step by step. */
async function carryFiles(drill: Drill, what: string, steps: readonly (readonly string[])[]): Promise<boolean> {
  const { home, layout } = drill.world;
  const keys = await fetch(`${layout.url('edge')}/.well-known/jwks.json`, { signal: AbortSignal.timeout(5_000) });
  writeFileSync(join(home, 'offline-keys'), await keys.text());
  for (const step of steps) {
    const argv = step.map((word, index) => (index > 0 && FILES.has(word) ? join(home, `offline-${word}`) : word));
    const { succeeded, words } = await evergrant(home, ['control-room', ...argv]);
    if (succeeded) continue;
    drill.check(what, false, `${step[0]}: ${words}`);
    return false;
  }
  drill.check(what, true, steps.map(([verb]) => verb).join(', '));
  return true;
}

export const guidLicense: DrillScenario = {
  name: 'guid-license',
  summary: 'a license for one Control Room; it is destroyed, and registers again after an administrator allows it',
  license: {
    ...DRILL_LICENSE,
    licenseId: '3d0b9c55-8a11-4f8e-a0a5-2c7c4e9a5b03',
    kind: 'guid',
    controlRoom: ROOM.guid,
    entitlements: DRILL_LICENSE.entitlements.map((entitlement) => ({ ...entitlement, borrowSecondsMax: 86_400 })),
  },
  controlRooms: [ROOM],
  async run(drill) {
    await awaitLeases(drill);
    const stranger = await registerControlRooms(drill.world, STRANGER);
    drill.check(
      'another Control Room is not registered, though it has the license key',
      stranger.code === 'license_of_another_control_room',
      `${stranger.status} ${stranger.code ?? ''}`,
    );
    const { code } = await checkOutWith(drill, drill.world.tokens.client);
    drill.check('no other caller takes a seat', code === 'wrong_control_room', code);

    const lent = await carryFiles(drill, 'seats are lent offline with a request and a response file', [
      [
        'offline-request',
        '--control-room',
        ROOM.guid,
        '--name',
        ROOM.name,
        '--want',
        'roomy=3',
        '--for',
        '2h',
        OUT,
        'request',
      ],
      ['offline-respond', 'request', OUT, 'response'],
      ['offline-verify', 'response', '--control-room', ROOM.guid, '--request', 'request', '--keys', 'keys'],
    ]);

    injectFault(drill, `${ROOM.name} is destroyed, with its token`);
    await drill.traffic.abandon();
    const tooEarly = await registerControlRooms(drill.world, ROOM);
    drill.check(
      'the license key alone cannot take over its GUID',
      tooEarly.code === 'control_room_registered',
      `${tooEarly.status} ${tooEarly.code ?? ''}`,
    );
    const opened = await call(drill, {
      method: 'POST',
      path: `/v1/control-rooms/${ROOM.guid}/recovery`,
      token: drill.world.tokens.admin,
      body: { reason: 'drill: the installation was destroyed' },
    });
    drill.mark('an administrator allows one more registration, with a reason');
    const again = await registerControlRooms(drill.world, ROOM);
    drill.check(
      'the Control Room registers again under its GUID',
      opened.status === 200 && again.status === 201,
      `${opened.status}, then ${again.status}`,
    );
    const granted = await drill.eventually('its new token is known', 10_000, async () => {
      const answer = await checkOutWith(drill, again.token);
      return answer.status === 401 ? undefined : answer;
    });
    drill.check('the Control Room takes seats again', granted.status === 201, `${granted.status} ${granted.code}`);
    if (!lent) return;
    await carryFiles(drill, 'lent seats are returned offline with a return and a receipt file', [
      ['offline-return', 'response', '--control-room', ROOM.guid, '--keys', 'keys', OUT, 'return'],
      ['offline-take-back', 'return', OUT, 'receipt'],
      ['offline-receipt', 'receipt', '--keys', 'keys'],
    ]);
  },
};
