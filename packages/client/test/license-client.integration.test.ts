import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { waitUntil } from '@evergrant/drills/eventually';
import {
  type Lease,
  LicenseClient,
  type LicenseClientOptions,
  type LicenseEvent,
  type ResponseRecord,
} from '../src/license-client';
import { LicenseService } from './license-service';

const WITHIN_MS = 15_000;
const SEAT = { product: 'studio', feature: 'bot-runner', seats: 2 };

describe.each([
  ['over sessions', true],
  ['over plain HTTP', false],
])('the client %s', (_how, sessions) => {
  let oregon: LicenseService;
  let virginia: LicenseService;
  let events: LicenseEvent[];
  let records: ResponseRecord[];
  const clients: LicenseClient[] = [];

  beforeEach(async () => {
    oregon = await new LicenseService('oregon').start();
    virginia = await new LicenseService('virginia').start();
    events = [];
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
      sessions,
      onEvent: (event) => events.push(event),
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

  const happened = (kind: LicenseEvent['kind']) =>
    waitUntil(kind, WITHIN_MS, () => events.some((event) => event.kind === kind));

  const ids = (service: LicenseService, method: string) =>
    new Set(service.asks(method).map(({ path }) => path.split('/')[3]));

  describe('checkout', () => {
    it('is granted by the contract, and the lease has its properties', async () => {
      const lease = await granted(client());
      expect(oregon.asks('PUT')).toMatchObject([
        {
          path: `/v1/leases/${lease.id}`,
          body: { ...SEAT, holder: 'control-room-1' },
          authorization: 'Bearer secret-token',
        },
      ]);
      expect(lease).toMatchObject({
        ...SEAT,
        state: 'held',
        epoch: 1,
        servedBy: 'oregon/app-1',
        token: oregon.tokens[0],
      });
      expect(lease.expiresInMs).toBeGreaterThan(50_000);
      expect(lease.expiresInMs).toBeLessThanOrEqual(60_000);
    });

    it('is repeated with the same lease id after a lost response, so seats are taken once', async () => {
      oregon.mood = 'swallows';
      const asked = granted(client());
      await waitUntil('tries', WITHIN_MS, () => oregon.asks('PUT').length >= 3);
      oregon.mood = 'grants';
      const lease = await asked;
      expect(ids(oregon, 'PUT')).toEqual(new Set([lease.id]));
      expect(oregon.live).toEqual(new Set([lease.id]));
    });

    it('without a free seat returns an outcome and is not repeated', async () => {
      oregon.mood = 'full';
      expect(await client().checkout(SEAT)).toEqual({ kind: 'no_seat_available' });
      expect(oregon.asks('PUT')).toHaveLength(1);
      expect(events).toMatchObject([{ kind: 'denied', code: 'no_seat_available' }]);
    });

    it('with rejected credentials is refused immediately', async () => {
      oregon.mood = 'forbids';
      expect(await client().checkout(SEAT)).toMatchObject({ kind: 'refused', code: 'forbidden' });
      expect(oregon.asks('PUT')).toHaveLength(1);
    });

    it('ends at its deadline with a reason when no server responds', async () => {
      await oregon.die();
      const outcome = await client({ checkoutDeadlineMs: 300 }).checkout(SEAT);
      expect(outcome).toEqual({ kind: 'unavailable', because: 'ECONNREFUSED' });
    });

    it('that timed out releases the seats that a server may have granted', async () => {
      oregon.mood = 'swallows';
      const outcome = await client({ checkoutDeadlineMs: 200 }).checkout(SEAT);
      expect(outcome.kind).toBe('unavailable');
      expect(oregon.live.size).toBe(1);
      oregon.mood = 'grants';
      await waitUntil('given back', WITHIN_MS, () => oregon.live.size === 0);
      expect(ids(oregon, 'DELETE')).toEqual(ids(oregon, 'PUT'));
    });

    it('honours Retry-After', async () => {
      oregon.mood = 'refers';
      oregon.retryAfterSeconds = 1;
      const asked = granted(client());
      const tries = () => oregon.asked.filter(({ path }) => path.startsWith('/v1/leases') || path === '/v1/session');
      await waitUntil('first try', WITHIN_MS, () => tries().length === 1);
      oregon.mood = 'grants';
      await asked;
      const [first, second] = tries();
      expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(990);
    });
  });

  describe('lease', () => {
    it('is renewed by heartbeats with the newest token', async () => {
      oregon.heartbeatAfterMs = 60;
      const lease = await granted(client());
      await waitUntil('three heartbeats', WITHIN_MS, () => oregon.asks('POST').length >= 3);
      const tokens = oregon.asks('POST').map(({ body }) => body.token);
      expect(tokens.slice(0, 3)).toEqual(sessions ? [undefined, undefined, undefined] : oregon.tokens.slice(0, 3));
      await waitUntil('the newest token', WITHIN_MS, () => oregon.tokens.indexOf(lease.token) >= 2);
    });

    it('sends no heartbeat before the server allows it', async () => {
      oregon.heartbeatAfterMs = 200;
      await granted(client());
      await waitUntil('three heartbeats', WITHIN_MS, () => oregon.asks('POST').length >= 3);
      const times = [...oregon.asks('PUT'), ...oregon.asks('POST')].map(({ atMs }) => atMs);
      for (const [index, atMs] of times.slice(1).entries()) expect(atMs - (times[index] ?? 0)).toBeGreaterThan(190);
    });

    it('is released once, and its heartbeats stop immediately', async () => {
      oregon.heartbeatAfterMs = 60;
      const made = client();
      const lease = await granted(made);
      const [first, second] = await Promise.all([lease.release(), lease.release()]);
      const heartbeats = oregon.asks('POST').length;
      expect([first, second]).toEqual([{ kind: 'released' }, { kind: 'released' }]);
      expect(oregon.asks('DELETE')).toMatchObject([{ body: { token: lease.token } }]);
      expect(made.leases).toEqual([]);
      await granted(made);
      await waitUntil('another lease beats', WITHIN_MS, () => oregon.asks('POST').length > heartbeats + 2);
      const beating = new Set(
        oregon
          .asks('POST')
          .slice(heartbeats)
          .map(({ path }) => path.split('/')[3]),
      );
      expect(beating).not.toContain(lease.id);
    });

    it('is released in bounded time although no server responds', async () => {
      const lease = await granted(client());
      await oregon.die();
      expect(await lease.release()).toEqual({
        kind: 'not-told',
        because: expect.stringMatching(/^(ECONNREFUSED|timeout)$/),
      });
      expect(lease.state).toBe('released');
    });

    it('enters grace when it expires during an outage, and is restored afterwards', async () => {
      Object.assign(oregon, { heartbeatAfterMs: 60, ttlMs: 800 });
      const lease = await granted(client());
      await oregon.die();
      await happened('grace');
      expect(lease.state).toBe('grace');
      expect(events.map(({ kind }) => kind)).not.toContain('lost');
      await oregon.start();
      await happened('restored');
      expect(lease.state).toBe('held');
      expect(ids(oregon, 'POST')).toEqual(new Set([lease.id]));
    });

    it('enters grace when its server hangs', async () => {
      Object.assign(oregon, { heartbeatAfterMs: 60, ttlMs: 800 });
      const lease = await granted(client({ requestTimeoutMs: 250 }));
      oregon.mood = 'hangs';
      await happened('grace');
      oregon.mood = 'grants';
      await happened('restored');
      expect(lease.state).toBe('held');
    });

    for (const [mood, code] of [
      ['gone', 'lease_expired'],
      ['unknown', 'lease_not_found'],
    ] as const) {
      it(`is lost when the server returns ${code}`, async () => {
        oregon.heartbeatAfterMs = 60;
        const made = client();
        const lease = await granted(made);
        oregon.mood = mood;
        await happened('lost');
        expect(lease.state).toBe('lost');
        expect(made.leases).toEqual([]);
        expect(events.find(({ kind }) => kind === 'lost')).toMatchObject({ leaseId: lease.id, code });
        expect(await lease.release()).toEqual({ kind: 'already-gone' });
        expect(oregon.asks('DELETE')).toEqual([]);
      });
    }

    for (const mood of ['proxy-404', 'forbids', 'refers', 'swallows'] as const) {
      it(`is not lost by a response that does not concern the lease: ${mood}`, async () => {
        Object.assign(oregon, { heartbeatAfterMs: 60, ttlMs: 800 });
        const lease = await granted(client());
        oregon.mood = mood;
        await happened('grace');
        expect(lease.state).toBe('grace');
        oregon.mood = 'grants';
        await happened('restored');
      });
    }
  });

  describe('with several addresses', () => {
    const both = () => ({ addresses: [oregon.url, virginia.url] });

    it('selects the granting address', async () => {
      oregon.mood = 'refers';
      expect((await granted(client(both()))).servedBy).toBe('virginia/app-1');
      expect(oregon.asks('PUT')).toEqual([]);
    });

    it('is not delayed by an address that hangs', async () => {
      oregon.mood = 'hangs';
      const startedAtMs = performance.now();
      await granted(client({ ...both(), requestTimeoutMs: 2_000, statusTimeoutMs: 2_000 }));
      expect(performance.now() - startedAtMs).toBeLessThan(1_000);
    });

    it('moves to the other region with the same lease id and sends the old token', async () => {
      Object.assign(oregon, { heartbeatAfterMs: 60 });
      Object.assign(virginia, { mood: 'refers', epoch: 2 });
      const lease = await granted(client(both()));
      await waitUntil('renewed', WITHIN_MS, () => oregon.asks('POST').length >= 1);
      await oregon.die();
      virginia.mood = 'grants';
      await waitUntil('served by Virginia', WITHIN_MS, () => lease.epoch === 2);
      expect(virginia.asks('POST')[0]).toMatchObject({
        path: `/v1/leases/${lease.id}/heartbeat`,
      });
      // The last but one when the response with the last one was lost.
      expect(oregon.tokens.slice(-2)).toContain(virginia.asks('POST')[0]?.body.token);
      expect(virginia.asks('PUT')).toEqual([]);
      expect(lease).toMatchObject({ state: 'held', servedBy: 'virginia/app-1' });
    });

    it('follows the redirect of a fenced region immediately', async () => {
      const made = client({ ...both(), addresses: [oregon.url, virginia.url] });
      Object.assign(virginia, { mood: 'refers' });
      await granted(made);
      Object.assign(oregon, { mood: 'refers', referral: virginia.url, retryAfterSeconds: 30 });
      virginia.mood = 'grants';
      const startedAtMs = performance.now();
      expect((await granted(made)).servedBy).toBe('virginia/app-1');
      expect(performance.now() - startedAtMs).toBeLessThan(1_000);
    });

    it('does not loop between two servers that redirect to each other', async () => {
      Object.assign(oregon, { mood: 'refers', referral: virginia.url });
      Object.assign(virginia, { mood: 'refers', referral: oregon.url });
      const outcome = await client({
        ...both(),
        checkoutDeadlineMs: 500,
        backoffBaseMs: 100,
        backoffCapMs: 100,
        random: () => 0.9,
      }).checkout(SEAT);
      expect(outcome.kind).toBe('unavailable');
      expect(oregon.asks('PUT').length + virginia.asks('PUT').length).toBeLessThan(25);
    });
  });

  describe('protects its bearer token', () => {
    it('and ignores a redirect to an address that is neither configured nor trusted', async () => {
      Object.assign(oregon, { mood: 'refers', referral: virginia.url });
      const outcome = await client({ checkoutDeadlineMs: 300 }).checkout(SEAT);
      expect(outcome.kind).toBe('unavailable');
      expect(virginia.asked).toEqual([]);
      expect(events).toContainEqual(expect.objectContaining({ kind: 'distrusted', address: virginia.url }));
    });

    it('and follows a redirect to a trusted address', async () => {
      Object.assign(oregon, { mood: 'refers', referral: virginia.url });
      expect((await granted(client({ trustedAddresses: [virginia.url] }))).servedBy).toBe('virginia/app-1');
    });

    it('and sends none with status requests', async () => {
      await granted(client({ addresses: [oregon.url, virginia.url] }));
      const statuses = [...oregon.asks('GET'), ...virginia.asks('GET')].filter(({ path }) => path === '/v1/status');
      expect(statuses).toHaveLength(2);
      for (const { authorization } of statuses) expect(authorization).toBeUndefined();
    });

    it('and follows no HTTP redirect', async () => {
      const redirected = async () => new Response(null, { status: 307, headers: { location: virginia.url } });
      const followed: (string | undefined)[] = [];
      const made = client({
        sessions: false,
        fetch: (_url, init) => {
          followed.push(init?.redirect);
          return redirected();
        },
      });
      expect(await made.checkout(SEAT)).toMatchObject({ kind: 'refused', code: 'http_307' });
      expect(followed).toEqual(['manual']);
    });
  });

  describe('and its application', () => {
    it('reports every response and every failed request', async () => {
      const made = client();
      const lease = await granted(made);
      await oregon.die();
      await lease.release();
      expect(records.find(({ kind }) => kind === 'checkout')).toMatchObject({
        ...SEAT,
        kind: 'checkout',
        method: 'PUT',
        url: sessions ? `${oregon.url}/v1/session` : `${oregon.url}/v1/leases/${lease.id}`,
        leaseId: lease.id,
        status: 201,
        body: { token: oregon.tokens[0], epoch: 1 },
      });
      expect(records.find(({ kind }) => kind === 'release')).toMatchObject({
        kind: 'release',
        error: expect.any(String),
      });
      expect(records.find(({ kind }) => kind === 'release')?.status).toBeUndefined();
      for (const { sentAtMs, receivedAtMs, durationMs } of records) expect(receivedAtMs - sentAtMs).toBe(durationMs);
    });

    it.each([
      [
        'throws',
        () => {
          throw new Error('the host is broken');
        },
      ],
      ['rejects', () => Promise.reject(new Error('the host is broken'))],
    ])('continues when a listener %s', async (_how, onEvent) => {
      oregon.heartbeatAfterMs = 60;
      const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
      await granted(client({ onEvent }));
      await waitUntil('heartbeats', WITHIN_MS, () => oregon.asks('POST').length >= 2);
      expect(warning.mock.calls).toEqual([['a license listener threw: the host is broken']]);
      warning.mockRestore();
    });

    it('lets the process exit without warnings or rejections when every server is gone', () => {
      const argv = ['--unhandled-rejections=strict', join(__dirname, 'host-that-ends.js'), String(sessions)];
      const { status, stderr, signal } = spawnSync(process.execPath, argv, {
        timeout: 40_000,
        encoding: 'utf8',
      });
      expect({ status, stderr, signal }).toEqual({ status: 0, stderr: '', signal: null });
    }, 45_000);

    it('releases all leases when it closes', async () => {
      const made = client();
      await Promise.all([granted(made), granted(made), granted(made)]);
      expect(oregon.live.size).toBe(3);
      await made.close();
      expect(oregon.live.size).toBe(0);
    });

    it('closes immediately although a request hangs, and releases the seats of that request', async () => {
      const made = client({ requestTimeoutMs: 60_000, checkoutDeadlineMs: 60_000 });
      oregon.mood = 'hangs';
      const asked = made.checkout(SEAT);
      await waitUntil('it hangs', WITHIN_MS, () => oregon.asks('PUT').length === 1);
      oregon.mood = 'grants';
      await made.close();
      expect(oregon.asks('DELETE')).toHaveLength(1);
      expect(await asked).toMatchObject({ kind: 'unavailable' });
      expect(await made.checkout(SEAT)).toMatchObject({ kind: 'unavailable' });
      expect(oregon.asks('DELETE')).toHaveLength(1);
    });

    it('leaves all leases held when it closes without a release', async () => {
      const made = client();
      await granted(made);
      await made.close({ release: false });
      expect(oregon.asks('DELETE')).toEqual([]);
      expect(oregon.live.size).toBe(1);
    });

    it('rejects an invalid address in the constructor', () => {
      expect(() => client({ addresses: [] })).toThrow(TypeError);
      expect(() => client({ addresses: ['ftp://x'] })).toThrow(TypeError);
    });
  });
});
