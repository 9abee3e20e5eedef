import pino from 'pino';
import { RoleMonitor } from '../../src/epochs/role-monitor';
import type { AuthorityAnswer, DatabaseObservation, EpochStore, ServerAuthorityStore } from '../../src/epochs/store';
import { Metrics } from '../../src/platform/metrics';

/** The fast profile of the two-region world. */
const LEASE_MS = 3_000;
const RENEWAL_EVERY_MS = 500;
/** A store that accepts and never answers costs its client this much a question. */
const STORE_GIVES_UP_MS = 2_500;
const STEP_MS = 50;
const DATABASE_AHEAD_MS = 1_700_000_000_000;

const OPEN = { epoch: 1, region: 'oregon' };

/** Everything here happens in virtual time: the clock below is the one that the loops' timers run on. */
beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

const later = (delayMs: number): Promise<void> => new Promise((resume) => setTimeout(resume, delayMs));

/** A database whose follower acknowledges within `acknowledgesAfterMs`, or never. */
class StandInDatabase {
  acknowledges = true;
  hangs = false;
  opened = 1;
  clockReadingMs = 20;
  /** By the database's clock: when the earlier proofs had expired, by the opening. */
  lapsedAtMs: number | undefined;
  #beaconAtMs = Number.POSITIVE_INFINITY;

  readonly port: EpochStore = {
    observe: async (beaconLsn: string | undefined): Promise<DatabaseObservation> => {
      await later(20);
      return {
        database: { kind: 'writable', epoch: { ...OPEN, epoch: this.opened, closed: false } },
        followerStreaming: true,
        beaconAcknowledged: this.acknowledges && beaconLsn !== undefined && performance.now() - this.#beaconAtMs > 70,
      } as DatabaseObservation;
    },
    writeBeacon: async () => {
      if (this.hangs) await later(STORE_GIVES_UP_MS);
      this.#beaconAtMs = performance.now();
      return '0/1';
    },
    readClock: async () => {
      await later(this.clockReadingMs);
      return performance.now() + DATABASE_AHEAD_MS;
    },
    open: async ({ epoch, lapsedAtMs }) => {
      this.opened = epoch;
      this.lapsedAtMs = lapsedAtMs;
      return {
        kind: 'opened',
        possibleLoss: 'nothing',
        leasesExtended: 0,
        seatsHeldBack: 0,
        unresolvedUntilMs: undefined,
      };
    },
  };
}

class StandInStore implements Pick<ServerAuthorityStore, 'renew'> {
  hangs = false;
  asked = 0;
  epoch = 1;
  lapsedAtMs: number | undefined;

  async renew({ renew }: { renew: boolean }): Promise<AuthorityAnswer> {
    this.asked += 1;
    await later(this.hangs ? STORE_GIVES_UP_MS : 20);
    if (this.hangs) throw new Error('no answer');
    const lapsedAgoMs = this.lapsedAtMs === undefined ? undefined : performance.now() - this.lapsedAtMs;
    const record = { ...OPEN, epoch: this.epoch, open: true, lapsedAgoMs, unprotected: undefined };
    return { record, renewedEpoch: renew ? this.epoch : undefined };
  }
}

function oregon() {
  const database = new StandInDatabase();
  const store = new StandInStore();
  const role = new RoleMonitor({
    region: 'oregon',
    server: 'oregon/app-1',
    policy: { authorityLeaseMs: LEASE_MS, renewalEveryMs: RENEWAL_EVERY_MS, skewMs: 500 },
    epochs: database.port,
    authorityStore: store,
    clock: { nowMs: () => performance.now() },
    log: pino({ level: 'silent' }),
    metrics: new Metrics(),
  });
  return { database, store, role };
}

/** The verdicts of the server during `durationMs`, each once. */
async function verdictsDuring(role: RoleMonitor, durationMs: number): Promise<Set<string>> {
  const verdicts = new Set<string>();
  for (let passedMs = 0; passedMs < durationMs; passedMs += STEP_MS) {
    await jest.advanceTimersByTimeAsync(STEP_MS);
    const verdict = role.verdict();
    verdicts.add(verdict.kind === 'not_granting' ? verdict.reason : verdict.kind);
  }
  return verdicts;
}

async function stopped(role: RoleMonitor): Promise<void> {
  const stop = role.stop();
  await jest.advanceTimersByTimeAsync(2 * STORE_GIVES_UP_MS);
  await stop;
}

describe('each proof of authority stays fresh without the other', () => {
  it('by replicationTracker, while the authority store accepts and never answers', async () => {
    const { store, role } = oregon();
    void role.start();
    await jest.advanceTimersByTimeAsync(1_000);
    store.hangs = true;
    expect(await verdictsDuring(role, 60_000)).toEqual(new Set(['granting']));
    await stopped(role);
  });

  it('by renewals, while beacons hang', async () => {
    const { database, role } = oregon();
    void role.start();
    await jest.advanceTimersByTimeAsync(1_000);
    database.hangs = true;
    database.acknowledges = false;
    expect(await verdictsDuring(role, 60_000)).toEqual(new Set(['granting']));
    await stopped(role);
  });

  it('and with neither it lapses within the authority lease', async () => {
    const { database, store, role } = oregon();
    void role.start();
    await jest.advanceTimersByTimeAsync(1_000);
    store.hangs = true;
    database.acknowledges = false;
    await verdictsDuring(role, LEASE_MS);
    expect(await verdictsDuring(role, 10_000)).toEqual(new Set(['authority_unproven']));
    await stopped(role);
  });
});

it('opens an epoch of its own region although beacons hang', async () => {
  const { database, store, role } = oregon();
  void role.start();
  await jest.advanceTimersByTimeAsync(1_000);
  database.hangs = true;
  store.epoch = 2;
  await jest.advanceTimersByTimeAsync(RENEWAL_EVERY_MS + 500);
  expect(role.verdict()).toEqual({ kind: 'granting', epoch: 2 });
  await stopped(role);
});

describe('the end of the earlier proofs', () => {
  it("is a moment of the database's clock from before the opening", async () => {
    const { database, store, role } = oregon();
    void role.start();
    await jest.advanceTimersByTimeAsync(1_000);
    store.lapsedAtMs = performance.now() - 9_000;
    store.epoch = 2;
    await jest.advanceTimersByTimeAsync(RENEWAL_EVERY_MS + 500);
    const lateMs = (database.lapsedAtMs ?? Number.NaN) - DATABASE_AHEAD_MS - store.lapsedAtMs;
    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(lateMs).toBeLessThan(100);
    await stopped(role);
  });

  it('is not derived from a reading of the clock that took long', async () => {
    const { database, store, role } = oregon();
    void role.start();
    await jest.advanceTimersByTimeAsync(1_000);
    database.clockReadingMs = 30_000;
    store.lapsedAtMs = performance.now() - 9_000;
    store.epoch = 2;
    await jest.advanceTimersByTimeAsync(31_000);
    expect(database.opened).toBe(1);
    database.clockReadingMs = 20;
    await jest.advanceTimersByTimeAsync(32_000);
    expect(database.opened).toBe(2);
    expect((database.lapsedAtMs ?? Number.NaN) - DATABASE_AHEAD_MS - store.lapsedAtMs).toBeLessThan(100);
    await stopped(role);
  });
});

it('asks nobody any more once it has stopped, in the middle of its start too', async () => {
  const { store, role } = oregon();
  void role.start();
  await stopped(role);
  const { asked } = store;
  await jest.advanceTimersByTimeAsync(10 * RENEWAL_EVERY_MS);
  expect(store.asked).toBe(asked);
});
