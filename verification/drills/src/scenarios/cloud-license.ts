import type { DrillRoom } from '../control-rooms';
import type { Drill, DrillScenario } from '../drill';
import { holdingsOf, peaks } from '../history';
import { DRILL_LICENSE, poolName } from '../license';
import { awaitFailover, awaitLeases, everythingIn, injectFault } from './common';

const ROOMS: readonly [DrillRoom, ...DrillRoom[]] = [
  { guid: '5e1fb6ad-0d2c-4e0e-9f0a-111111111111', name: 'Kyoto' },
  { guid: '5e1fb6ad-0d2c-4e0e-9f0a-222222222222', name: 'Lisbon' },
  { guid: '5e1fb6ad-0d2c-4e0e-9f0a-333333333333', name: 'Nairobi' },
  { guid: '5e1fb6ad-0d2c-4e0e-9f0a-444444444444', name: 'Quito' },
];
const [KYOTO] = ROOMS;
const CONTENDED = { feature: 'contended', seats: 10, overdraft: 2, leaseTtlSeconds: 30, escrow: 4 };
const RESERVED = 3;

async function registeredRooms(drill: Drill): Promise<string[]> {
  const answer = await fetch(`${drill.world.layout.url('edge')}/v1/control-rooms`, {
    headers: { authorization: `Bearer ${drill.world.tokens.admin}` },
    signal: AbortSignal.timeout(5_000),
  });
  const { controlRooms = [] } = (await answer.json()) as { controlRooms?: { name: string }[] };
  return controlRooms.map(({ name }) => name).sort();
}

/** Other Control Rooms may take the unreserved seats and the overdraft of the contended pool, never more. */
function checkReservation(drill: Drill): void {
  const mayTake = CONTENDED.seats + CONTENDED.overdraft - RESERVED;
  const others = [...holdingsOf(drill.traffic.exchanges).values()].filter(
    ({ controlRoom }) => controlRoom !== KYOTO.guid,
  );
  const most = peaks(others).get(poolName(DRILL_LICENSE.product, CONTENDED.feature))?.held ?? 0;
  drill.check(
    `${RESERVED} seats stay reserved for ${KYOTO.name}`,
    most <= mayTake,
    `others at most ${most} of ${mayTake}`,
  );
}

export const cloudLicense: DrillScenario = {
  name: 'cloud-license',
  summary: 'Control Rooms register with the license key and share its pools; the region is lost, all keep their seats',
  license: {
    ...DRILL_LICENSE,
    licenseId: '1f6f7a94-52c9-4a6c-9f0e-6d4b7b1f3a01',
    entitlements: [
      { ...CONTENDED, reservations: [{ controlRoom: KYOTO.guid, seats: RESERVED }] },
      ...DRILL_LICENSE.entitlements.filter(({ feature }) => feature !== CONTENDED.feature),
    ],
  },
  controlRooms: ROOMS,
  async run(drill) {
    await awaitLeases(drill);
    injectFault(drill, 'SIGKILL of everything in Oregon');
    drill.signal('SIGKILL', everythingIn('oregon'));
    await awaitFailover(drill);
    await drill.eventually('calls are served', 20_000, () => drill.traffic.recentSuccesses(1_000) > 5);
    const names = await registeredRooms(drill);
    drill.check('every registration survives the failover', names.length === ROOMS.length, names.join(', '));
    checkReservation(drill);
  },
};
