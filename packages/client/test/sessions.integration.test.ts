import { waitUntil } from '@evergrant/drills/eventually';
import {
  type ClientNotice,
  type Lease,
  LicenseClient,
  type LicenseClientOptions,
  type LicenseEvent,
  type ResponseRecord,
} from '../src/license-client';
import { LicenseService } from './license-service';

const WITHIN_MS = 15_000;
const SEAT = { product: 'studio', feature: 'bot-runner', seats: 2 };

describe('client session', () => {
  let oregon: LicenseService;
  let virginia: LicenseService;
  let events: LicenseEvent[];
  let notices: ClientNotice[];
  let records: ResponseRecord[];
  const clients: LicenseClient[] = [];

  beforeEach(async () => {
    oregon = await new LicenseService('oregon').start();
    virginia = await new LicenseService('virginia').start();
    events = [];
    notices = [];
    records = [];
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close({ release: false })));
    await Promise.all([oregon.die(), virginia.die()]);
  });

  function client(options: Partial<LicenseClientOptions> = {}): LicenseClient {
    const made = new LicenseClient({
      addresses: [oregon.url],
      token: 'secret-token',
      holder: 'control-room-1',
      requestTimeoutMs: 2_000,
      statusTimeoutMs: 1_000,
      checkoutDeadlineMs: 5_000,
      releaseDeadlineMs: 1_000,
      backoffBaseMs: 10,
      backoffCapMs: 50,
      onEvent: (event) => events.push(event),
      onNotice: (notice) => notices.push(notice),
      onResponse: (record) => records.push(record),
      ...options,
    });
    clients.push(made);
    return made;
  }

  async function granted(made: LicenseClient): Promise<Lease> {
    const outcome = await made.checkout(SEAT);
    if (outcome.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(outcome)}`);
    return outcome.lease;
  }

  const upgrades = (service: LicenseService) => service.asked.filter(({ path }) => path === '/v1/session');
  const over = (service: LicenseService) =>
    new Set(service.asked.filter(({ path }) => path.startsWith('/v1/leases')).map(({ over: how }) => how));
  const happened = (kind: LicenseEvent['kind']) =>
    waitUntil(kind, WITHIN_MS, () => events.some((event) => event.kind === kind));

  it('carries checkouts, heartbeats and releases over one connection', async () => {
    oregon.heartbeatAfterMs = 60;
    const made = client();
    const leases = await Promise.all([granted(made), granted(made), granted(made)]);
    await waitUntil('heartbeats', WITHIN_MS, () => oregon.asks('POST').length >= 6);
    await Promise.all(leases.map((lease) => lease.release()));
    expect(upgrades(oregon)).toHaveLength(1);
    expect(upgrades(oregon)[0]?.authorization).toBe('Bearer secret-token');
    expect(over(oregon)).toEqual(new Set(['session']));
    expect(notices).toEqual([{ kind: 'connection', address: oregon.url, over: 'session' }]);
  });

  it('renews all leases with one message', async () => {
    oregon.heartbeatAfterMs = 200;
    const made = client();
    const leases = await Promise.all(Array.from({ length: 20 }, () => granted(made)));
    await waitUntil('a heartbeat of each', WITHIN_MS, () => oregon.asks('POST').length >= 20);
    const firstRound = oregon.asks('POST').slice(0, 20);
    expect(new Set(firstRound.map(({ path }) => path.split('/')[3]))).toEqual(new Set(leases.map(({ id }) => id)));
    const times = firstRound.map(({ atMs }) => atMs);
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(100);
    await waitUntil(
      'every lease is renewed',
      WITHIN_MS,
      () => events.filter(({ kind }) => kind === 'renewed').length >= 20,
    );
    const told = records.filter(({ kind }) => kind === 'heartbeat').slice(0, 20);
    expect(new Set(told.map(({ leaseId }) => leaseId)).size).toBe(20);
    for (const record of told) expect(record).toMatchObject({ ...SEAT, method: 'POST', status: 200 });
  });

  it('is optional: without an offer the client uses HTTP and does not retry the upgrade', async () => {
    oregon.offersSessions = false;
    oregon.heartbeatAfterMs = 60;
    const made = client();
    await granted(made);
    await granted(made);
    await waitUntil('heartbeats', WITHIN_MS, () => oregon.asks('POST').length >= 4);
    expect(upgrades(oregon)).toHaveLength(1);
    expect(over(oregon)).toEqual(new Set(['http']));
    expect(notices).toEqual([{ kind: 'connection', address: oregon.url, over: 'http' }]);
  });

  it('is replaced after a lost connection, and its leases are renewed over the new one', async () => {
    Object.assign(virginia, { mood: 'refers', epoch: 2 });
    const made = client({ addresses: [oregon.url, virginia.url] });
    const leases = await Promise.all([granted(made), granted(made)]);
    const tokens = leases.map(({ token }) => token);
    virginia.mood = 'grants';
    await oregon.die();
    await waitUntil('served by Virginia', WITHIN_MS, () => leases.every(({ epoch }) => epoch === 2));
    expect(upgrades(virginia)).toHaveLength(1);
    expect(new Set(virginia.asks('POST').map(({ body }) => body.token))).toEqual(new Set(tokens));
    expect(leases.map(({ state }) => state)).toEqual(['held', 'held']);
    expect(events.map(({ kind }) => kind)).not.toContain('grace');
  });

  it('moves with all leases to the next server when its server drains, before any is due', async () => {
    Object.assign(virginia, { mood: 'refers', epoch: 2 });
    const made = client({ addresses: [oregon.url, virginia.url] });
    const lease = await granted(made);
    virginia.mood = 'grants';
    oregon.mood = 'refers';
    oregon.sendAway('draining', virginia.url);
    await waitUntil('served by Virginia', WITHIN_MS, () => lease.epoch === 2);
    expect(lease.state).toBe('held');
  });

  it('reconnects only after the requested delay', async () => {
    const made = client();
    await granted(made);
    oregon.sendAway('draining', oregon.url, 1);
    const sentAwayAtMs = performance.now();
    await waitUntil('the session is open again', WITHIN_MS, () => upgrades(oregon).length === 2);
    expect(performance.now() - sentAwayAtMs).toBeGreaterThanOrEqual(990);
  });

  it('ignores a redirect to an address that is neither configured nor trusted', async () => {
    const made = client();
    await granted(made);
    oregon.sendAway('not_granting', virginia.url);
    await waitUntil('the session is open again', WITHIN_MS, () => upgrades(oregon).length === 2);
    expect(virginia.asked).toEqual([]);
  });

  it('ends when no frames arrive', async () => {
    oregon.pingEverySeconds = 0.2;
    const made = client();
    await granted(made);
    await waitUntil('another one', WITHIN_MS, () => upgrades(oregon).length >= 2);
  });

  it('ends after a request time-out, and the request is repeated elsewhere', async () => {
    Object.assign(virginia, { mood: 'refers', epoch: 2 });
    const made = client({ addresses: [oregon.url, virginia.url], requestTimeoutMs: 300 });
    await granted(made);
    virginia.mood = 'grants';
    oregon.mood = 'hangs';
    expect((await granted(made)).servedBy).toBe('virginia/app-1');
  });

  it('sends a close frame when the client closes, and keeps leases held if asked to', async () => {
    const made = client();
    await granted(made);
    const ends: number[] = [];
    for (const session of oregon.sessions) session.on('close', (code) => ends.push(code));
    await made.close({ release: false });
    await waitUntil('the server receives the close frame', WITHIN_MS, () => ends.length === 1);
    expect(ends).toEqual([1000]);
    expect(oregon.live.size).toBe(1);
  });

  describe('and the queue', () => {
    const queued = () =>
      waitUntil('the checkout is queued', WITHIN_MS, () => events.some(({ kind }) => kind === 'queued'));

    it('reports each new position and grants the seats', async () => {
      oregon.line = 3;
      const positions: number[] = [];
      const asked = client().checkout({ ...SEAT, queueMs: 60_000, onPosition: (position) => positions.push(position) });
      await queued();
      const leaseId = oregon.asks('PUT')[0]?.path.split('/')[3] as string;
      expect(oregon.asks('PUT')[0]?.body).toMatchObject({ queue: true });
      oregon.pushLine(leaseId, { status: 202, body: { position: 1, token: 'p', retryAfter: 30 } });
      await waitUntil('told', WITHIN_MS, () => positions.includes(1));
      oregon.line = 0;
      oregon.pushLine(leaseId, oregon.granted(leaseId));
      expect(await asked).toMatchObject({ kind: 'granted', lease: { id: leaseId, state: 'held' } });
      expect(positions).toEqual([3, 1]);
    });

    it('polls with the token of the queue entry when no update is pushed', async () => {
      Object.assign(oregon, { offersSessions: false, line: 2 });
      const asked = client().checkout({ ...SEAT, queueMs: 60_000 });
      await waitUntil('three questions', WITHIN_MS, () => oregon.asks('PUT').length >= 3);
      oregon.line = 0;
      expect((await asked).kind).toBe('granted');
      const [first, ...others] = oregon.asks('PUT');
      expect(first?.body.token).toBeUndefined();
      expect(new Set(others.map(({ body }) => body.token))).toEqual(new Set(['place-token']));
      expect(new Set(oregon.asks('PUT').map(({ path }) => path)).size).toBe(1);
      expect(events.map(({ kind }) => kind)).toEqual(['queued', 'granted']);
    });

    it('keeps its place when the session is lost', async () => {
      oregon.line = 2;
      const asked = client().checkout({ ...SEAT, queueMs: 60_000 });
      await queued();
      for (const session of oregon.sessions) session.terminate();
      await waitUntil('the session is open again', WITHIN_MS, () => upgrades(oregon).length === 2);
      oregon.line = 0;
      expect((await asked).kind).toBe('granted');
    });

    it('is left when the queue time is over or the checkout is cancelled', async () => {
      oregon.line = 2;
      const stop = new AbortController();
      const made = client();
      const waits = [
        made.checkout({ ...SEAT, queueMs: 150 }),
        made.checkout({ ...SEAT, queueMs: 60_000, signal: stop.signal }),
      ];
      await waitUntil('both are queued', WITHIN_MS, () => oregon.asks('PUT').length >= 2);
      stop.abort();
      expect((await Promise.all(waits)).map(({ kind }) => kind)).toEqual(['unavailable', 'unavailable']);
      await waitUntil('both left the queue', WITHIN_MS, () => oregon.asks('DELETE').length >= 2);
    });

    it('is not entered without queueMs', async () => {
      oregon.mood = 'full';
      expect(await client().checkout(SEAT)).toEqual({ kind: 'no_seat_available' });
      expect(oregon.asks('PUT')[0]?.body.queue).toBeUndefined();
    });
  });

  it('waits for a busy server and does not move the load to another one', async () => {
    const made = client({ addresses: [oregon.url, virginia.url] });
    virginia.mood = 'refers';
    await granted(made);
    Object.assign(oregon, { mood: 'busy', retryAfterSeconds: 1 });
    virginia.mood = 'grants';
    const asked = granted(made);
    await waitUntil('the response with Retry-After', WITHIN_MS, () => oregon.asks('PUT').length === 2);
    oregon.mood = 'grants';
    expect((await asked).servedBy).toBe('oregon/app-1');
    const [, second, third] = oregon.asks('PUT');
    expect((third?.atMs ?? 0) - (second?.atMs ?? 0)).toBeGreaterThanOrEqual(990);
    expect(virginia.asks('PUT')).toEqual([]);
  });

  it('is lost without another server: leases enter grace and are restored', async () => {
    Object.assign(oregon, { heartbeatAfterMs: 100, ttlMs: 600 });
    const lease = await granted(client());
    await oregon.die();
    await happened('grace');
    await oregon.start();
    await happened('restored');
    expect(lease.state).toBe('held');
    expect(upgrades(oregon).length).toBeGreaterThanOrEqual(2);
    expect(notices.map((notice) => (notice.kind === 'connection' ? notice.over : notice.kind))).toEqual([
      'session',
      'nothing',
      'session',
    ]);
  });
});
