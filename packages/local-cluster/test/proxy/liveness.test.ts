import { waitUntil } from '@evergrant/drills/eventually';
import { Liveness, type LivenessOptions, probe } from '../../src/proxy/liveness';
import { FakeServer } from './fake-server';

jest.setTimeout(60_000);

const WITHIN_MS = 15_000;

describe('liveness', () => {
  let server: FakeServer;
  let liveness: Liveness;
  let changes: string[];

  beforeEach(async () => {
    server = await new FakeServer('server').start();
    changes = [];
  });

  afterEach(async () => {
    liveness.stop();
    await server.die();
  });

  async function watched(options: Partial<LivenessOptions> = {}): Promise<void> {
    liveness = new Liveness({
      url: `${server.url}/livez`,
      everyMs: 30,
      timeoutMs: 100,
      failuresBeforeDown: 2,
      downOnRefusal: true,
      onChange: ({ now }) => changes.push(now),
      ...options,
    });
    liveness.start();
    await waitUntil('up', WITHIN_MS, () => liveness.state === 'up');
  }

  const probed = async (): Promise<void> => {
    const { length } = server.seen;
    await waitUntil('a probe', WITHIN_MS, () => server.seen.length > length);
  };

  it('is unknown, never down, after a request without an answer', async () => {
    await watched();
    liveness.recordNoAnswer('no answer within 300 ms');
    expect(liveness.state).toBe('unknown');
    await waitUntil('up again', WITHIN_MS, () => liveness.state === 'up');
    expect(changes).toEqual(['up', 'unknown', 'up']);
  });

  it('is down after a refused request until a probe is answered', async () => {
    await watched();
    liveness.recordRefusal('ECONNREFUSED');
    expect(liveness.state).toBe('down');
    await waitUntil('up again', WITHIN_MS, () => liveness.state === 'up');
  });

  it('stays down after a request without an answer', async () => {
    await watched({ everyMs: 60_000 });
    await server.die();
    liveness.recordRefusal('ECONNREFUSED');
    liveness.recordNoAnswer('no answer');
    expect(liveness.state).toBe('down');
  });

  it('sends no probe after stop', async () => {
    await watched();
    await probed();
    liveness.stop();
    liveness.recordNoAnswer('no answer');
    liveness.recordRefusal('ECONNREFUSED');
    const { length } = server.seen;
    await watched({ url: `${server.url}/livez?another` });
    await probed();
    expect(server.seen.slice(length).filter(({ url }) => url === '/livez')).toEqual([]);
  });

  it('is inconclusive after an answer that only a wrong configuration gives', async () => {
    expect(await probe('http://no-such-host.invalid/livez', 2_000)).toMatchObject({ kind: 'inconclusive' });
    server.behavior = 'elsewhere';
    expect(await probe(`${server.url}/other`, 1_000)).toMatchObject({ kind: 'failed', reason: 'answered 503' });
    await watched();
  });
});
