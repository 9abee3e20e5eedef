import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitUntil } from '@evergrant/drills/eventually';
import {
  type ClientNotice,
  type Lease,
  LicenseClient,
  type LicenseClientOptions,
  type LicenseEvent,
} from '../src/license-client';
import { type ClientState, readState, writeState } from '../src/state/schema';
import { type ClientClock, PROCESS_CLOCK } from '../src/time/clock';
import { JWKS, LicenseService, signedToken } from './license-service';

const WITHIN_MS = 15_000;
const SEAT = { product: 'studio', feature: 'bot-runner', seats: 2 };
const HOUR_MS = 3_600_000;

describe('restarted installation', () => {
  let service: LicenseService;
  let dir: string;
  let stateFile: string;
  let events: LicenseEvent[];
  let notices: ClientNotice[];
  const clients: LicenseClient[] = [];

  beforeEach(async () => {
    service = await new LicenseService('oregon').start();
    dir = mkdtempSync(join(tmpdir(), 'evergrant-restarts-'));
    stateFile = join(dir, 'license.json');
    events = [];
    notices = [];
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close({ release: false })));
    await service.die();
    rmSync(dir, { recursive: true });
  });

  function start(options: Partial<LicenseClientOptions> = {}): LicenseClient {
    const made = new LicenseClient({
      addresses: [service.url],
      token: 'secret-token',
      holder: 'kyoto',
      stateFile,
      requestTimeoutMs: 500,
      statusTimeoutMs: 500,
      checkoutDeadlineMs: 400,
      releaseDeadlineMs: 300,
      backoffBaseMs: 10,
      backoffCapMs: 50,
      onEvent: (event) => events.push(event),
      onNotice: (notice) => notices.push(notice),
      ...options,
    });
    clients.push(made);
    return made;
  }

  async function granted(made: LicenseClient, request: object = {}): Promise<Lease> {
    const outcome = await made.checkout({ ...SEAT, ...request });
    if (outcome.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(outcome)}`);
    return outcome.lease;
  }

  /** Ends the installation, advances the wall clock of the next one, and starts it. */
  async function restart(before: LicenseClient, afterMs = 0, options: Partial<LicenseClientOptions> = {}) {
    await before.close({ release: false });
    const after = start({ clock: clockAhead(afterMs), ...options });
    await after.ready();
    return after;
  }

  const clockAhead = (ms: number): ClientClock => ({ ...PROCESS_CLOCK, wallMs: () => Date.now() + ms });
  const kinds = (): string[] => events.map(({ kind }) => kind);
  const kept = (): ClientState => {
    const reading = readState(readFileSync(stateFile, 'utf8'));
    if (reading.kind !== 'read') throw new Error(reading.kind);
    return reading.state;
  };
  const happened = (kind: LicenseEvent['kind']) => waitUntil(kind, WITHIN_MS, () => kinds().includes(kind));

  describe('with a reachable service', () => {
    it('restores its leases and takes no seat twice', async () => {
      const first = start();
      const ids = [(await granted(first)).id, (await granted(first)).id];
      const after = await restart(first);
      expect(after.leases.map(({ id }) => id)).toEqual(ids);
      const again = [await granted(after), await granted(after)];
      expect(again.map(({ id }) => id)).toEqual(ids);
      expect(service.live).toEqual(new Set(ids));
      await waitUntil('both are renewed', WITHIN_MS, () => kinds().filter((kind) => kind === 'renewed').length >= 2);
    });

    it('sends the token of each lease', async () => {
      const first = start();
      const { token } = await granted(first);
      await restart(first);
      await waitUntil('the token is sent', WITHIN_MS, () => service.asks('POST').length > 0);
      expect(service.asks('POST')[0]?.body).toEqual({ token, nonce: expect.any(String) });
    });

    it('gets its seats again after a long absence in which its lease expired', async () => {
      const first = start();
      const { id } = await granted(first);
      await first.close({ release: false });
      service.forget();
      Object.assign(service, { mood: 'forgot', clockAheadMs: HOUR_MS });
      const after = start({ clock: clockAhead(HOUR_MS) });
      await after.ready();
      expect(after.leases[0]?.state).toBe('grace');
      await happened('restored');
      expect(after.leases[0]).toMatchObject({ state: 'held' });
      expect(after.leases[0]?.id).not.toBe(id);
      expect(service.live).toEqual(new Set([after.leases[0]?.id]));
    });

    describe('with releases in flight', () => {
      const DEADLINES = { checkoutDeadlineMs: 2_000, requestTimeoutMs: 200, releaseDeadlineMs: 5_000 };

      it('does not accept the lease of such a release, which would free its seats later', async () => {
        const made = start({ ...DEADLINES, sessions: false });
        service.deafTo = 'DELETE';
        const first = await granted(made);
        void first.release();
        await waitUntil('the release is sent', WITHIN_MS, () => service.asks('DELETE').length > 0);
        const asked = made.checkout(SEAT);
        await waitUntil('the checkout is requested again', WITHIN_MS, () => service.asks('PUT').length > 1);
        expect(service.live).toEqual(new Set([first.id]));
        service.deafTo = undefined;
        const outcome = await asked;
        expect(outcome).toMatchObject({ kind: 'granted' });
        expect(service.live).toEqual(new Set([outcome.kind === 'granted' ? outcome.lease.id : '']));
        expect(service.live).not.toContain(first.id);
      });

      it('does not accept the lease of a checkout that got no response in time', async () => {
        const made = start({ ...DEADLINES, checkoutDeadlineMs: 300, sessions: false });
        Object.assign(service, { mood: 'swallows', deafTo: 'DELETE' });
        expect((await made.checkout(SEAT)).kind).toBe('unavailable');
        const [left] = [...service.live];
        service.mood = 'grants';
        expect(await made.checkout(SEAT)).toEqual({
          kind: 'unavailable',
          because: 'earlier seats are still being released',
        });
        service.deafTo = undefined;
        await waitUntil('the seats are free', WITHIN_MS, () => service.live.size === 0);
        expect((await granted(made)).id).not.toBe(left);
      });
    });

    it('releases leases that no checkout claims', async () => {
      const first = start();
      const [wanted, unwanted] = [await granted(first), await granted(first, { feature: 'other' })];
      const after = await restart(first, 0, { keepUnclaimedMs: 200 });
      await granted(after);
      await waitUntil('the release', WITHIN_MS, () => service.asks('DELETE').length === 1);
      expect(service.live).toEqual(new Set([wanted.id]));
      expect(service.asks('DELETE')[0]?.path).toContain(unwanted.id);
    });

    it('does not restore released leases', async () => {
      const first = start();
      await granted(first);
      await first.close();
      const after = start();
      await after.ready();
      expect(after.leases).toEqual([]);
      expect(kept().leases).toEqual([]);
    });
  });

  describe('without a network', () => {
    it('restores its leases until they expire', async () => {
      const first = start();
      const { id } = await granted(first);
      await service.die();
      const after = await restart(first);
      expect(await granted(after)).toMatchObject({ id, state: 'held' });
    });

    it.each([
      [HOUR_MS, 'grace'],
      [49 * HOUR_MS, 'fail_safe'],
      [721 * HOUR_MS, 'suspended'],
    ] as const)('after %d ms is in the state that it would have without the restart', async (awayMs, state) => {
      const first = start();
      await granted(first);
      await service.die();
      const after = await restart(first, awayMs);
      expect(after.leases.map((lease) => lease.state)).toEqual([state]);
      expect(kinds().at(-1)).toBe(state);
    });

    it('in grace keeps its leases and gets no further seats', async () => {
      const first = start();
      await granted(first);
      await service.die();
      const after = await restart(first, HOUR_MS);
      expect((await granted(after)).state).toBe('grace');
      expect((await after.checkout(SEAT)).kind).toBe('unavailable');
      expect((await after.checkout({ ...SEAT, feature: 'other' })).kind).toBe('unavailable');
    });

    it('does not hand out suspended leases', async () => {
      const first = start();
      await granted(first);
      await service.die();
      const after = await restart(first, 721 * HOUR_MS);
      expect((await after.checkout(SEAT)).kind).toBe('unavailable');
    });

    it('gets no longer grace by setting its clock back', async () => {
      const first = start();
      await granted(first);
      await service.die();
      await first.close({ release: false });
      const ranOnline = kept().contact?.ranMs ?? 0;
      let nowMs = 0;
      // Its processes run for 49 hours in total, one hour each, and each starts with the clock set back to the first
      // day.
      for (let life = 0; life < 49; life += 1) {
        const clock: ClientClock = { ...PROCESS_CLOCK, nowMs: () => nowMs, wallMs: () => Date.now() - 10 * HOUR_MS };
        const client = start({ clock });
        await client.ready();
        nowMs += HOUR_MS;
        await client.close({ release: false });
      }
      expect((kept().contact?.ranMs ?? 0) - ranOnline).toBeGreaterThanOrEqual(49 * HOUR_MS);
      const after = start({ clock: clockAhead(-10 * HOUR_MS) });
      await after.ready();
      expect(after.leases[0]?.state).toBe('fail_safe');
    });

    it('releases nothing while no server responds', async () => {
      const first = start();
      await granted(first);
      await service.die();
      const after = await restart(first, 0, { keepUnclaimedMs: 50 });
      await new Promise((resume) => setTimeout(resume, 300));
      expect(after.leases).toHaveLength(1);
    });
  });

  describe('restores no lease without a proven token', () => {
    async function tampered(change: (state: ClientState) => ClientState): Promise<LicenseClient> {
      const first = start();
      await granted(first);
      await first.close({ release: false });
      writeFileSync(stateFile, writeState(change(kept())));
      await service.die();
      const after = start();
      await after.ready();
      return after;
    }

    const changed = (what: Partial<ClientState['leases'][number]>) => (state: ClientState) => {
      return { ...state, leases: state.leases.map((lease) => ({ ...lease, ...what })) };
    };

    it.each<[string, Partial<ClientState['leases'][number]>]>([
      ['more seats', { seats: 200 }],
      ['another feature', { feature: 'other' }],
      ['another lease', { leaseId: '00000000-0000-4000-8000-000000000000' }],
      ['a self-made token', { token: signedToken({ jti: 'x' }, undefined, 'other-key') }],
      ['no token', { token: 'nonsense' }],
    ])('for %s', async (_what, change) => {
      const after = await tampered(changed(change));
      expect(after.leases).toEqual([]);
      expect(notices).toContainEqual(expect.objectContaining({ kind: 'lease_dropped' }));
    });

    it('for a key in the file when the application pins its own keys', async () => {
      const pinned = { keys: JWKS };
      const first = start(pinned);
      await granted(first);
      await first.close({ release: false });
      writeFileSync(
        stateFile,
        writeState({ ...kept(), keys: [{ kid: 'service-1', kty: 'OKP', crv: 'Ed25519', x: 'AAAA' }] }),
      );
      const after = start(pinned);
      await after.ready();
      expect(after.leases).toHaveLength(1);
    });

    it('and takes expiry and policy from the token only', async () => {
      service.policy = { graceSeconds: 3_600, suspendAfterSeconds: 7_200 };
      const first = start();
      await granted(first);
      await service.die();
      expect((await restart(first, 1.5 * HOUR_MS)).leases[0]?.state).toBe('fail_safe');
    });
  });

  describe('without a state file', () => {
    it('gets its leases back by its identity and takes no seat twice', async () => {
      const stable = { identity: 'pod-7' };
      const { stateFile: _none, ...noFile } = { stateFile };
      const first = new LicenseClient({ addresses: [service.url], token: 't', ...noFile, ...stable });
      const ids = [(await granted(first)).id, (await granted(first)).id];
      await first.close({ release: false });
      const after = new LicenseClient({ addresses: [service.url], token: 't', ...stable });
      clients.push(first, after);
      expect([(await granted(after)).id, (await granted(after)).id]).toEqual(ids);
      expect(service.asks('PUT').map(({ body }) => body.identity)).toEqual(['pod-7', 'pod-7#2', 'pod-7', 'pod-7#2']);
      expect(service.live.size).toBe(2);
    });
  });

  it('works without storing anything while another process uses the state file', async () => {
    const [first, second] = [start(), start()];
    expect(notices).toContainEqual(expect.objectContaining({ kind: 'state', problem: 'in_use' }));
    const mine = await granted(first);
    const other = await granted(second);
    expect(mine.id).not.toBe(other.id);
    await second.close({ release: false });
    await first.close({ release: false });
    expect(kept().leases.map(({ leaseId }) => leaseId)).toEqual([mine.id]);
  });
});
