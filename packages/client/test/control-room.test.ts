import { waitUntil } from '@evergrant/drills/eventually';
import { type ControlRoomOptions, ExampleControlRoom } from '../src/example/control-room';
import { LicenseService } from './license-service';

const WITHIN_MS = 15_000;

describe('a Control Room', () => {
  let service: LicenseService;
  const rooms: ExampleControlRoom[] = [];

  beforeEach(async () => {
    service = await new LicenseService('oregon').start();
  });

  afterEach(async () => {
    await Promise.all(rooms.splice(0).map((room) => room.stop({ release: false })));
    await service.die();
  });

  function open(options: Partial<ControlRoomOptions> = {}): ExampleControlRoom {
    const room = new ExampleControlRoom({
      name: 'Control Room Kyoto',
      product: 'studio',
      logins: [
        { feature: 'bot-creator', seats: 1 },
        { feature: 'bot-runner', seats: 3 },
      ],
      workMs: 40,
      pauseMs: 5,
      client: {
        addresses: [service.url],
        token: 'token',
        backoffBaseMs: 5,
        backoffCapMs: 20,
        releaseDeadlineMs: 3_000,
      },
      ...options,
    });
    rooms.push(room);
    return room;
  }

  const released = (count: number) =>
    waitUntil(`${count} releases`, WITHIN_MS, () => service.asks('DELETE').length >= count);

  it('checks out seats, holds and releases them, and continues', async () => {
    const room = open();
    room.start();
    await released(6);
    expect(new Set(service.asks('PUT').map(({ body }) => body.holder))).toEqual(new Set([room.guid]));
    expect(new Set(service.asks('PUT').map(({ body }) => body.feature))).toEqual(
      new Set(['bot-creator', 'bot-runner']),
    );
  });

  it('reports its held seats', async () => {
    const room = open({ workMs: 60_000, usersMax: 3 });
    room.start();
    await waitUntil('three sessions', WITHIN_MS, () => room.snapshot().holding.length === 3);
    const { name, guid, holding } = room.snapshot();
    expect([name, guid]).toEqual(['Control Room Kyoto', room.guid]);
    for (const held of holding) expect(held).toMatchObject({ state: 'held', epoch: 1, servedBy: 'oregon/app-1' });
    for (const { since } of holding) expect(Math.abs(since - Date.now())).toBeLessThan(5_000);
  });

  it('releases all seats when it stops, and starts no further checkout', async () => {
    const room = open({ workMs: 60_000 });
    room.start();
    await waitUntil('two sessions', WITHIN_MS, () => service.live.size === 2);
    await room.stop();
    expect(service.live.size).toBe(0);
    expect(room.snapshot().holding).toEqual([]);
  });

  it('leaves its seats held when it stops without a release', async () => {
    const room = open({ workMs: 60_000 });
    room.start();
    await waitUntil('two sessions', WITHIN_MS, () => service.live.size === 2);
    await room.stop({ release: false });
    expect(service.asks('DELETE')).toEqual([]);
  });

  it('continues after an outage of its server', async () => {
    const room = open({
      client: {
        addresses: [service.url],
        token: 't',
        backoffBaseMs: 5,
        backoffCapMs: 20,
        checkoutDeadlineMs: 50,
        releaseDeadlineMs: 50,
      },
    });
    room.start();
    await released(2);
    await service.die();
    const before = service.asks('DELETE').length;
    await service.start();
    await released(before + 2);
  });

  it('repeats its behaviour with the same seed', async () => {
    const work = async (): Promise<unknown[]> => {
      const room = open({ seed: 7, usersMax: 1 });
      const from = service.asks('PUT').length;
      room.start();
      await waitUntil('four checkouts', WITHIN_MS, () => service.asks('PUT').length >= from + 4);
      await room.stop();
      return [
        room.guid,
        ...service
          .asks('PUT')
          .slice(from, from + 4)
          .map(({ path, body }) => [path, body.feature]),
      ];
    };
    expect(await work()).toEqual(await work());
  });
});
