import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { BackoffPolicy } from './core/backoff';
import { type ClientNotice, callListener, type LeaseEventBody } from './events';
import { KeyRing } from './keys/key-ring';
import { publicKeysOf } from './keys/lease-proof';
import type { Lease } from './lease';
import { type CheckoutOutcome, Checkouts, type LeaseSubject } from './leases/checkouts';
import { LeaseRegistry } from './leases/lease-registry';
import { PendingReleases } from './leases/pending-releases';
import { Renewals } from './leases/renewals';
import { type CheckoutRequest, checkOptions, type LicenseClientOptions } from './options';
import { Registration } from './registration/registration';
import type { ClientState } from './state/schema';
import { StateFile } from './state/state-file';
import { type ClientClock, PROCESS_CLOCK } from './time/clock';
import { ServerClock } from './time/server-clock';
import { AddressBook } from './transport/addresses';
import type { Call, ResponseRecord } from './transport/call';
import { HttpTransport } from './transport/http-transport';
import { RetryingRequester } from './transport/retrying-requester';
import { TransportSelector } from './transport/transport-selector';
import type { Redirect } from './transport/websocket-session';

export type { ClientNotice, LicenseEvent } from './events';
export type { Lease, LeaseState, ReleaseOutcome } from './lease';
export type { CheckoutOutcome } from './leases/checkouts';
// biome-ignore lint/performance/noBarrelFile: what is shipped has one entry
export {
  type OfflineSeats,
  type OfflineSeatsOptions,
  type OfflineSeatsOutcome,
  type OfflineSeatsRefusal,
  readOfflineSeats,
} from './offline-seats';
export type { CheckoutRequest, LicenseClientOptions } from './options';
export type { ResponseRecord } from './transport/call';

/** While no server is heard, what has passed is written down this often (S7). */
const SAVE_EVERY_MS = 60_000;
/** A connection that died took its leases along: they are shown to another server within this. */
const RECONNECT_WITHIN_MS = 2_000;
const KEEP_UNCLAIMED_MS = 600_000;

/**
 * Holds licenses for the application that embeds it: checks them out, keeps them with heartbeats in the background,
 * moves between servers and regions, keeps them through outages and restarts, and gives them back. After construction
 * nothing here throws or rejects; what happens is told by outcomes, events and notices.
 */
export class LicenseClient {
  readonly #options: LicenseClientOptions;
  readonly #clock: ClientClock;
  readonly #stateFile: StateFile | undefined;
  readonly #identity: string | undefined;
  readonly #serverClock: ServerClock;
  readonly #addresses: AddressBook;
  readonly #http: HttpTransport;
  readonly #selector: TransportSelector;
  readonly #requester: RetryingRequester;
  readonly #keys: KeyRing;
  readonly #pendingReleases: PendingReleases;
  readonly #registry: LeaseRegistry;
  readonly #renewals: Renewals;
  readonly #checkouts: Checkouts;
  readonly #registration: Registration | undefined;
  readonly #find = new Set<Promise<unknown>>();
  readonly #restored: Promise<void>;
  readonly #closed = new AbortController();
  /** Closed as a host that dies: from then on not a word to any server. */
  readonly #killed = new AbortController();
  #end: Promise<void> | undefined;
  #unclaimedIsTimed = false;
  #connection = '';

  /** @throws TypeError that names every mistake in the options. */
  constructor(options: LicenseClientOptions) {
    checkOptions(options);
    // Every call under way listens to these, and there may be many.
    setMaxListeners(0, this.#closed.signal, this.#killed.signal);
    this.#options = options;
    this.#clock = options.clock ?? PROCESS_CLOCK;
    this.#http = this.#newHttp();
    this.#addresses = this.#newAddresses();
    this.#stateFile = this.#newStateFile();
    const kept = this.#openState();
    this.#identity = options.identity ?? kept?.identity ?? (options.stateFile === undefined ? undefined : randomUUID());
    this.#serverClock = new ServerClock(kept?.contact, this.#clock);
    this.#keys = this.#newKeys(kept);
    this.#registration = this.#newMembership(kept);
    this.#selector = this.#newSwitchboard();
    this.#requester = this.#newCourier();
    const settleMs = options.requestTimeoutMs ?? 10_000;
    this.#pendingReleases = new PendingReleases({ clock: this.#clock, settleMs, killed: this.#killed.signal });
    this.#registry = this.#newBook();
    this.#renewals = this.#newRenewals();
    this.#checkouts = this.#newCheckouts();
    this.#restored = this.#registry.restore(kept?.leases ?? []).catch(() => undefined);
    this.#scheduleSave();
  }

  /** The leases that are kept now: those of an earlier life among them, as soon as `ready` is. */
  get leases(): readonly Lease[] {
    return this.#registry.leases;
  }

  /** The Control Room's GUID, when this installation is one. */
  get controlRoom(): string | undefined {
    return this.#registration?.room.guid;
  }

  /** Resolves when the state file has been read and what it proves is among `leases`. Never rejects. */
  ready(): Promise<void> {
    return this.#restored;
  }

  /** Takes seats, or takes up what an earlier life of this installation held. */
  async checkout(request: CheckoutRequest): Promise<CheckoutOutcome> {
    await this.#restored;
    return this.#track(this.#checkouts.checkout(request));
  }

  /**
   * Ends the client. The seats are given back, or (`release: false`) left to the installation's next life, which gets
   * them back from the state file; without one they expire.
   */
  close({ release }: { readonly release: boolean } = { release: true }): Promise<void> {
    this.#end ??= this.#close(release);
    return this.#end;
  }

  async #close(release: boolean): Promise<void> {
    if (!release) this.#killed.abort();
    this.#closed.abort();
    await this.#restored;
    this.#registration?.stop();
    const { leases } = this.#registry;
    if (release) await Promise.all([...leases.map((lease) => lease.release()), ...this.#find]);
    else for (const lease of leases) lease.abandon();
    this.#save();
    this.#selector.close({ graceful: true });
    await this.#stateFile?.close();
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#find.add(work);
    return work.finally(() => this.#find.delete(work));
  }

  #newHttp(): HttpTransport {
    return new HttpTransport({
      token: () => this.#token(),
      fetch: this.#options.fetch ?? globalThis.fetch,
      clock: this.#clock,
      onResponse: (record) => this.#responded(record),
    });
  }

  #newAddresses(): AddressBook {
    const { addresses, trustedAddresses = [], statusTimeoutMs: timeoutMs = 2_000 } = this.#options;
    const status: Call = { kind: 'status', method: 'GET', path: '/v1/status', anonymous: true };
    const stop = this.#closed.signal;
    return new AddressBook({
      addresses,
      trusted: trustedAddresses,
      fetchStatus: (address) => this.#http.send(status, address, { timeoutMs, stop, background: true }),
    });
  }

  #newStateFile(): StateFile | undefined {
    const { stateFile: path } = this.#options;
    if (path === undefined) return undefined;
    return new StateFile({ path, clock: this.#clock, onNotice: (notice) => this.#notice(notice) });
  }

  #openState(): ClientState | undefined {
    try {
      return this.#stateFile?.open();
    } catch (error) {
      this.#notice({ kind: 'state', problem: 'not_readable', detail: String(error) });
      return undefined;
    }
  }

  #newKeys(kept: ClientState | undefined): KeyRing {
    const { keys, statusTimeoutMs: timeoutMs = 2_000 } = this.#options;
    const call: Call = { kind: 'keys', method: 'GET', path: '/.well-known/jwks.json', anonymous: true };
    const terms = { timeoutMs, stop: this.#closed.signal, background: true };
    return new KeyRing({
      pinned: keys && publicKeysOf(keys),
      kept: kept?.keys ?? [],
      fetchKeys: async () => this.#http.send(call, await this.#addresses.current(), terms),
      clock: this.#clock,
      onChange: () => this.#save(),
    });
  }

  #newMembership(kept: ClientState | undefined): Registration | undefined {
    const { controlRoom: definition, requestTimeoutMs = 10_000, random = Math.random } = this.#options;
    if (!definition) return undefined;
    return new Registration({
      ...{ definition, requestTimeoutMs, random, kept: kept?.room, newGuid: randomUUID, http: this.#http },
      ...{ addresses: this.#addresses, backoff: this.#backoff(), clock: this.#clock, signal: this.#closed.signal },
      onNotice: (notice) => this.#notice(notice),
      keep: () => {
        this.#save();
        return this.#stateFile?.flushed() ?? Promise.resolve();
      },
    });
  }

  #newSwitchboard(): TransportSelector {
    return new TransportSelector({
      http: this.#http,
      sessions: this.#options.sessions ?? true,
      token: () => this.#token(),
      clock: this.#clock,
      onResponse: (record) => this.#responded(record),
      onQueueUpdate: (news) => this.#checkouts.queueUpdated(news),
      onDisconnect: (end) => this.#disconnected(end),
      onConnection: ({ address, over }) => this.#connected(address, over),
    });
  }

  #newCourier(): RetryingRequester {
    const { requestTimeoutMs = 10_000, random = Math.random } = this.#options;
    return new RetryingRequester({
      ...{ transport: this.#selector, addresses: this.#addresses, backoff: this.#backoff(), clock: this.#clock },
      ...{ requestTimeoutMs, random },
    });
  }

  #newBook(): LeaseRegistry {
    const { random = Math.random, newLeaseId = randomUUID, releaseDeadlineMs: deadlineMs = 10_000 } = this.#options;
    return new LeaseRegistry({
      ...{ installation: this.#identity, serverClock: this.#serverClock, keys: this.#keys, clock: this.#clock },
      ...{ random, newLeaseId },
      onLeaseEvent: (lease, event) => this.#emitLeaseEvent(lease, event),
      onCallDue: (lease) => this.#renewals.enqueue(lease),
      release: (lease) => {
        const terms = { deadlineMs, signal: this.#killed.signal, background: false };
        return this.#pendingReleases.track(lease.id, this.#requester.request(lease.releaseCall, terms));
      },
      onDropped: (leaseId, detail) => this.#notice({ kind: 'lease_dropped', leaseId, detail }),
      onChange: () => this.#save(),
    });
  }

  #newRenewals(): Renewals {
    const { requestTimeoutMs = 10_000, random = Math.random } = this.#options;
    return new Renewals({
      ...{ requester: this.#requester, selector: this.#selector, keys: this.#keys, clock: this.#clock },
      ...{ random, requestTimeoutMs, backoff: this.#backoff(), signal: this.#closed.signal },
      leases: () => this.#registry.leases,
      onDistrusted: (lease, address) => this.#emitLeaseEvent(lease, { kind: 'distrusted', address }),
      onRound: (answered) => {
        if (!answered) this.#connected(undefined, 'nothing');
      },
    });
  }

  #newCheckouts(): Checkouts {
    const { newLeaseId = randomUUID, checkoutDeadlineMs = 30_000, releaseDeadlineMs = 10_000 } = this.#options;
    return new Checkouts({
      ...{
        requester: this.#requester,
        registry: this.#registry,
        pendingReleases: this.#pendingReleases,
        keys: this.#keys,
        clock: this.#clock,
        newLeaseId,
        releaseDeadlineMs,
      },
      holder: this.#options.holder ?? this.#registration?.room.guid ?? this.#identity ?? 'unknown',
      deadlineMs: checkoutDeadlineMs,
      closed: this.#closed.signal,
      killed: this.#killed.signal,
      prepare: async (deadlineMs, signal) => {
        const outcome = await this.#registration?.ready(deadlineMs, signal);
        return outcome === undefined || outcome.kind === 'registered' ? undefined : outcome;
      },
      onLeaseEvent: (about, event) => this.#emitLeaseEvent(about, event),
    });
  }

  #backoff(): BackoffPolicy {
    return { baseMs: this.#options.backoffBaseMs ?? 250, capMs: this.#options.backoffCapMs ?? 15_000 };
  }

  #token(): string | undefined {
    return this.#registration?.token ?? this.#options.token;
  }

  #responded(record: ResponseRecord): void {
    const { serverTime } = (record.body ?? {}) as { serverTime?: unknown };
    const serverTimeMs = typeof serverTime === 'string' ? Date.parse(serverTime) : Number.NaN;
    if (!Number.isNaN(serverTimeMs)) {
      this.#serverClock.observe(serverTimeMs);
      this.#scheduleUnclaimedRelease();
    }
    if (record.status === 401 && record.kind !== 'registration') this.#registration?.invalidate();
    callListener(this.#options.onResponse, record);
  }

  #disconnected({ address, redirect }: { address: string; redirect: Redirect | undefined }): void {
    const told = redirect?.address;
    const followed = told === undefined ? undefined : this.#addresses.follow(told);
    if (followed === undefined || followed === 'not_trusted') this.#addresses.leave(address);
    const when = redirect
      ? { notBeforeMs: redirect.retryAfterMs, withinMs: RECONNECT_WITHIN_MS / 4 }
      : { notBeforeMs: 0, withinMs: RECONNECT_WITHIN_MS };
    for (const lease of this.#registry.leases) lease.disconnected(when);
    this.#checkouts.sessionLost();
    this.#connected(undefined, 'nothing');
  }

  #connected(address: string | undefined, over: 'session' | 'http' | 'nothing'): void {
    const now = `${over} ${address}`;
    if (now === this.#connection) return;
    this.#connection = now;
    this.#notice({ kind: 'connection', address, over });
  }

  /** Leases of an earlier life that nobody asks for burn no seats; but nothing is given up before a server is heard. */
  #scheduleUnclaimedRelease(): void {
    if (this.#unclaimedIsTimed || this.#registry.unclaimed.length === 0) return;
    this.#unclaimedIsTimed = true;
    const undo = (): void => {
      for (const lease of this.#registry.unclaimed) void lease.release();
    };
    this.#clock.after(this.#options.keepUnclaimedMs ?? KEEP_UNCLAIMED_MS, undo, { background: true });
  }

  #scheduleSave(): void {
    if (!this.#stateFile) return;
    const again = (): void => {
      if (this.#closed.signal.aborted) return;
      if (this.#registry.leases.length > 0) this.#save();
      this.#scheduleSave();
    };
    this.#clock.after(SAVE_EVERY_MS, again, { background: true });
  }

  #save(): void {
    const { keys } = this.#keys;
    this.#stateFile?.save(() => ({
      identity: this.#identity ?? '',
      room: this.#registration?.room,
      keys,
      contact: this.#serverClock.toStored(),
      leases: this.#registry.toStored(),
    }));
  }

  #emitLeaseEvent({ id: leaseId, product, feature, seats }: LeaseSubject, event: LeaseEventBody): void {
    callListener(this.#options.onEvent, { leaseId, product, feature, seats, ...event });
  }

  #notice(notice: ClientNotice): void {
    callListener(this.#options.onNotice, notice);
  }
}
