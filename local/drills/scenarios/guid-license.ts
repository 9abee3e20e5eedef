import { type DrillRoom, register } from '../control-rooms';
import type { Drill, Scenario } from '../drill';
import { DRILL_LICENSE } from '../license';
import { injectFault, settleIn } from './common';

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

export const guidLicense: Scenario = {
  name: 'guid-license',
  summary: 'seats of one Control Room alone; it is destroyed, and recovers its GUID by an act of an administrator',
  license: {
    ...DRILL_LICENSE,
    licenseId: '3d0b9c55-8a11-4f8e-a0a5-2c7c4e9a5b03',
    kind: 'guid',
    controlRoom: ROOM.guid,
  },
  controlRooms: [ROOM],
  async run(drill) {
    await settleIn(drill);
    const stranger = await register(drill.world, STRANGER);
    drill.promise(
      'another Control Room is not registered, though it has the license key',
      stranger.code === 'license_of_another_control_room',
      `${stranger.status} ${stranger.code ?? ''}`,
    );
    const { code } = await checkOutWith(drill, drill.world.tokens.client);
    drill.promise('nobody else takes a seat', code === 'wrong_control_room', code);

    injectFault(drill, `${ROOM.name} is destroyed, with its token`);
    await drill.load.abandon();
    const tooEarly = await register(drill.world, ROOM);
    drill.promise(
      'its GUID cannot be taken over with the license key alone',
      tooEarly.code === 'control_room_registered',
      `${tooEarly.status} ${tooEarly.code ?? ''}`,
    );
    const opened = await call(drill, {
      method: 'POST',
      path: `/v1/control-rooms/${ROOM.guid}/recovery`,
      token: drill.world.tokens.admin,
      body: { reason: 'drill: the installation was destroyed' },
    });
    drill.mark('an administrator opens one more registration, and says why');
    const again = await register(drill.world, ROOM);
    drill.promise(
      'then it registers again under its GUID',
      opened.status === 200 && again.status === 201,
      `${opened.status}, then ${again.status}`,
    );
    const granted = await drill.eventually('its new token is known', 10_000, async () => {
      const answer = await checkOutWith(drill, again.token);
      return answer.status === 401 ? undefined : answer;
    });
    drill.promise('and takes seats again', granted.status === 201, `${granted.status} ${granted.code}`);
  },
};
