import type { AnswerVerdict, ExpectedLease } from '@evergrant/client/keys/key-ring';
import { Checkouts } from '@evergrant/client/leases/checkouts';
import { LeaseRegistry } from '@evergrant/client/leases/lease-registry';
import type { ManagedLease } from '@evergrant/client/leases/managed-lease';
import { PendingReleases } from '@evergrant/client/leases/pending-releases';
import { Renewals } from '@evergrant/client/leases/renewals';
import type { ClientState } from '@evergrant/client/state/schema';
import type { ClientClock } from '@evergrant/client/time/clock';
import { ServerClock } from '@evergrant/client/time/server-clock';
import { AddressBook } from '@evergrant/client/transport/addresses';
import type { ClientCall, SendTerms, Transport, TransportResult } from '@evergrant/client/transport/call';
import { RetryingRequester } from '@evergrant/client/transport/retrying-requester';
import type { SimulationContext } from '../context';
import { featureOf, SIMULATED_PRODUCT } from '../database/statements';
import type { Random } from '../time/random';
import type { Host } from '../topology/host';
import { EDGE_ADDRESS, type HttpAnswer, type HttpCall, REGION_ADDRESSES } from './http';

export interface Demand {
  readonly poolId: number;
  readonly seats: number;
  readonly leasesMax: number;
  /** Mean time between two actions. */
  readonly thinksMs: number;
  readonly releaseShare: number;
  readonly borrowShare: number;
  readonly queueShare: number;
}

export interface InstallationOptions {
  readonly host: Host;
  readonly context: SimulationContext;
  readonly random: Random;
  readonly name: string;
  readonly demand: Demand;
  readonly addresses: readonly string[];
}

/** The state file that an installation starts from. */
export type RestoredState = 'newest' | 'older' | 'none';

const BACKOFF = { baseMs: 250, capMs: 15_000 };
const STATES_KEPT = 12;
const CALLS_REMEMBERED = 20;
const BORROW_SECONDS = 900;
/** Factor on the wait after a pool was full, while idle time is skipped. */
const AFTER_FULL_TIMES = 3;

type State = Pick<ClientState, 'leases' | 'contact'>;

/** One process life of an installation: parts of the product's client over the simulated network. */
interface Life {
  readonly book: LeaseRegistry;
  readonly checkouts: Checkouts;
  readonly contact: ServerClock;
  readonly dead: AbortController;
  /** Leases that a server has confirmed in this life, or that the newest state contained. */
  readonly sure: Set<ManagedLease>;
}

/** A Control Room that checks seats out, renews and releases them, and crashes now and then. */
export class Installation {
  readonly name: string;
  readonly host: Host;
  readonly #options: InstallationOptions;
  #states: State[] = [];
  #calls: HttpCall[] = [];
  #life: Life;

  constructor(options: InstallationOptions) {
    this.name = options.name;
    this.host = options.host;
    this.#options = options;
    this.#life = this.#begin('none');
  }

  get isAlive(): boolean {
    return this.host.state !== 'down';
  }

  /** Seats of confirmed leases that have not ended. */
  heldSeats(poolId: number): number {
    if (!this.isAlive || this.#options.demand.poolId !== poolId) return 0;
    let seats = 0;
    const { grantChecker } = this.#options.context;
    for (const keeper of this.#life.sure) {
      if (isHeld(keeper) && !grantChecker.isTakenBack(keeper.id)) seats += keeper.seats;
    }
    return seats;
  }

  get keepers(): readonly ManagedLease[] {
    return this.isAlive ? this.#life.book.leases : [];
  }

  crash(): void {
    for (const keeper of this.#life.book.leases) keeper.abandon();
    this.#life.dead.abort();
    this.host.crash();
  }

  start(kept: RestoredState): void {
    if (this.isAlive) return;
    this.host.start();
    this.#life = this.#begin(kept);
  }

  /** Sends an earlier call again unchanged. */
  replay(): void {
    if (!this.host.isRunning || this.#calls.length === 0) return;
    const call = this.#options.random.pick(this.#calls);
    const { context } = this.#options;
    context.record(this.name, `repeats an old ${call.kind} of ${call.leaseId}`);
    void this.#send(call, EDGE_ADDRESS, 8_000);
  }

  #begin(kept: RestoredState): Life {
    const { name, context, random, demand, addresses, host } = this.#options;
    const state = this.#stateOf(kept);
    const clock: ClientClock = {
      nowMs: () => host.nowMs(),
      wallMs: () => host.wallMs(),
      after: (ms, run) => host.after(ms, run),
    };
    const dead = new AbortController();
    const transport = this.#transport();
    const status: ClientCall = { kind: 'status', method: 'GET', path: '/v1/status', anonymous: true };
    const terms = { timeoutMs: 2_000, stop: dead.signal, background: true };
    const book = new AddressBook({
      addresses,
      trusted: Object.values(REGION_ADDRESSES),
      fetchStatus: (address) => transport.send(status, address, terms),
    });
    // The simulated network does not forge answers, and the fake signer checks no nonce.
    const newNonce = () => 'simulated-nonce-0';
    const shared = { newNonce, clock, random: random.next, backoff: BACKOFF, requestTimeoutMs: 10_000 };
    const requester = new RetryingRequester({ ...shared, transport, addresses: book });
    const pendingReleases = new PendingReleases({ clock, settleMs: shared.requestTimeoutMs, killed: dead.signal });
    const keys = {
      verify: async (token: string, expected: ExpectedLease) => this.#verify(token, expected),
      verifyStored: async (token: string, expected: ExpectedLease) => this.#verify(token, expected),
    };
    const sure = new Set<ManagedLease>();
    // An older copy of the state contains released leases; no server can detect that (docs/safety.md).
    const restoredReleased = new Set(
      state?.leases.map(({ leaseId }) => leaseId).filter((id) => context.grantChecker.isReleaseRequested(id)),
    );
    const newLeaseId = () => context.newId('lease');
    const contact = new ServerClock(state?.contact, clock);
    const leases: LeaseRegistry = new LeaseRegistry({
      ...{ installation: () => name, serverClock: contact, keys, clock, random: random.next, newLeaseId },
      onLeaseEvent: (keeper, event) => {
        const { kind } = event;
        const confirms = kind === 'renewed' || kind === 'restored' || kind === 'granted';
        if (confirms && !restoredReleased.has(keeper.id)) this.#confirmed(sure, keeper);
        if (kind !== 'renewed') context.record(name, `${kind} ${keeper.id}${'code' in event ? `: ${event.code}` : ''}`);
      },
      onCallDue: (keeper) => renewals.enqueue(keeper),
      release: (keeper) => {
        context.grantChecker.releaseRequested(keeper.id);
        const terms = { deadlineMs: 10_000, signal: dead.signal, background: false };
        return pendingReleases.track(keeper.id, requester.request(keeper.releaseCall, terms));
      },
      onDropped: (leaseId, detail) => context.record(name, `drops ${leaseId}: ${detail}`),
      onChange: () => this.#keep({ leases: leases.toStored(), contact: contact.toStored() }),
    });
    const renewals = new Renewals({
      ...{ ...shared, requester, keys, signal: dead.signal, leases: () => leases.leases },
      selector: { holds: () => false, renewAll: async () => new Map() },
      onDistrusted: () => undefined,
      onRound: () => undefined,
    });
    const checkouts = new Checkouts({
      ...{ requester, registry: leases, pendingReleases, keys, clock, holder: () => name, newLeaseId },
      ...{ deadlineMs: 30_000, releaseDeadlineMs: 10_000, closed: dead.signal, killed: dead.signal },
      prepare: async () => undefined,
      onLeaseEvent: ({ id }, { kind }) => {
        const keeper = leases.find(id);
        if (kind === 'granted' && keeper) this.#confirmed(sure, keeper);
        context.record(name, `${kind} ${id}`);
      },
    });
    void leases.restore(state?.leases ?? []).then(() => {
      if (kept === 'newest') for (const keeper of leases.leases) this.#confirmed(sure, keeper);
      void this.#live({ book: leases, checkouts, contact, dead, sure }, demand);
    });
    return { book: leases, checkouts, contact, dead, sure };
  }

  #confirmed(sure: Set<ManagedLease>, keeper: ManagedLease): void {
    const { context, demand } = this.#options;
    for (const other of sure) if (!isHeld(other)) sure.delete(other);
    sure.add(keeper);
    context.grantChecker.held(this, keeper, demand.poolId);
  }

  async #live({ book, checkouts, dead }: Life, demand: Demand): Promise<void> {
    const { random, context } = this.#options;
    const { leasesMax, releaseShare } = demand;
    let { thinksMs } = demand;
    for (;;) {
      await this.host.wait(random.duration(thinksMs, thinksMs * 6));
      if (dead.signal.aborted) return;
      const { leases: keepers } = book;
      const full = keepers.length >= leasesMax;
      const wantsLess = keepers.length > 0 && (full || random.chance(releaseShare));
      if (wantsLess && random.chance(releaseShare)) await random.pick(keepers).release();
      else if (!full) {
        const isFull = (await this.#checkout(checkouts, demand)) === 'no_seat_available';
        thinksMs = demand.thinksMs * (isFull && context.scenario.skipsIdleTime ? AFTER_FULL_TIMES : 1);
      }
    }
  }

  async #checkout(checkouts: Checkouts, { poolId, seats, borrowShare, queueShare }: Demand) {
    const { random } = this.#options;
    const { kind } = await checkouts.checkout({
      ...{ product: SIMULATED_PRODUCT, feature: featureOf(poolId), seats },
      ...(random.chance(borrowShare) ? { borrowSeconds: BORROW_SECONDS } : {}),
      ...(random.chance(queueShare) ? { queueMs: 60_000 } : {}),
    });
    return kind;
  }

  #transport(): Transport {
    return {
      send: async (call: ClientCall, address: string, { timeoutMs }: SendTerms): Promise<TransportResult> => {
        const { kind, leaseId, body } = call;
        const sentAtMs = this.host.nowMs();
        if (kind === 'keys' || kind === 'registration' || kind === 'presence') {
          return { kind: 'no_response', reason: 'not simulated' };
        }
        const sent: HttpCall = { kind, leaseId, body };
        if (kind !== 'status') this.#calls = [...this.#calls, sent].slice(-CALLS_REMEMBERED);
        if (kind === 'release' && leaseId !== undefined) this.#options.context.grantChecker.releaseRequested(leaseId);
        const answer = await this.#send(sent, address, timeoutMs);
        if (typeof answer === 'string') return { kind: 'no_response', reason: answer };
        const { status, body: answered, retryAfterMs } = answer;
        // Like the product's client, which stores the server's clock with its state.
        const serverTimeMs = Date.parse(String(answered.serverTime));
        if (Number.isFinite(serverTimeMs)) this.#life.contact.observe(serverTimeMs);
        return { kind: 'response', status, body: answered, retryAfterMs, serverDateMs: undefined, sentAtMs };
      },
    };
  }

  #send(call: HttpCall, address: string, timeoutMs: number): Promise<HttpAnswer | 'ETIMEDOUT' | 'ECONNREFUSED'> {
    const { context } = this.#options;
    const simulatedRegion = address === REGION_ADDRESSES.oregon ? context.regions.oregon : context.regions.virginia;
    const isEdge = address === EDGE_ADDRESS;
    return context.network.askHost<HttpAnswer | 'ETIMEDOUT' | 'ECONNREFUSED'>(
      this.host,
      isEdge ? context.edge.host : simulatedRegion.router,
      {
        ...{ timeoutMs, late: 'ETIMEDOUT', refused: 'ECONNREFUSED' },
        serve: (reply) => void (isEdge ? context.edge.forward(call) : simulatedRegion.route(call)).then(reply),
      },
    );
  }

  #verify(token: string, expected: ExpectedLease): AnswerVerdict {
    const issued = this.#options.context.fakeSigner.read(token);
    if (!issued) return { kind: 'refused', detail: 'not a token' };
    const { claim, issuedAtMs } = issued;
    const { leaseId, licenseId, product, feature, seats, holder, identity, borrowed, expiresAtMs } = claim;
    if (leaseId !== expected.leaseId) return { kind: 'refused', detail: 'token of another lease' };
    const about = { leaseId, licenseId, product, feature, seats, holder, identity, borrowed };
    const proof = { ...about, issuedAtMs, expiresAtMs, policy: undefined, nonce: expected.nonce };
    return { kind: 'proven', proof };
  }

  #keep(state: State): void {
    this.#states = [...this.#states, state].slice(-STATES_KEPT);
  }

  #stateOf(kept: RestoredState): State | undefined {
    if (kept === 'none') return undefined;
    return kept === 'newest' ? this.#states.at(-1) : this.#states[Math.max(0, this.#states.length - 5)];
  }
}

function isHeld(keeper: ManagedLease): boolean {
  return !keeper.isFinished && keeper.expiresInMs > 0;
}
