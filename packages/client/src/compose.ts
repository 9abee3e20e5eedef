import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { CompositionContext } from './composition-context';
import { type ClientNotice, callListener, type LeaseEventBody } from './events';
import { KeyRing, type KeyRingOptions } from './keys/key-ring';
import { publicKeysOf } from './keys/lease-proof';
import type { Checkouts, LeaseSubject } from './leases/checkouts';
import { createCheckouts, createRegistry, createRenewals } from './leases/compose';
import type { LeaseRegistry } from './leases/lease-registry';
import { PendingReleases } from './leases/pending-releases';
import { UnclaimedLeases } from './leases/unclaimed-leases';
import { checkOptions, type LicenseClientOptions } from './options';
import { ControlRoomRegistration } from './registration/registration';
import { settingsOf } from './settings';
import type { ClientState } from './state/schema';
import { StateAccess } from './state/state-access';
import { StateFile } from './state/state-file';
import type { ClientClock } from './time/clock';
import { ServerClock } from './time/server-clock';
import { AddressBook } from './transport/addresses';
import type { ClientCall, ResponseRecord } from './transport/call';
import { ConnectionMonitor } from './transport/connection-monitor';
import { HttpTransport } from './transport/http-transport';
import { RetryingRequester } from './transport/retrying-requester';
import { TransportSelector } from './transport/transport-selector';
import type { Redirect } from './transport/websocket-session';

/** While no server responds, the elapsed time is written to the state file at this interval (S7). */
const SAVE_EVERY_MS = 60_000;
/** After a lost session, its leases are renewed at another server within this time. */
const RECONNECT_WITHIN_MS = 2_000;

/** The parts of a client that its public methods use. */
export interface ClientParts {
  readonly registry: LeaseRegistry;
  readonly checkouts: Checkouts;
  readonly registration: ControlRoomRegistration | undefined;
  readonly selector: TransportSelector;
  readonly stateFile: StateFile | undefined;
  readonly stateAccess: StateAccess;
  /** Aborted when the client is closed. */
  readonly closed: AbortController;
  /** Aborted when the client is closed like a crashed process: no request is sent afterwards. */
  readonly killed: AbortController;
  readonly save: () => void;
  /** Resolves when the leases of the state file are restored. Never rejects. */
  readonly restored: Promise<void>;
}

/**
 * Creates the parts of a client and connects them.
 *
 * @throws TypeError that lists every error in the options
 */
export function composeClient(options: LicenseClientOptions): ClientParts {
  checkOptions(options);
  const [closed, killed] = [new AbortController(), new AbortController()];
  // Every pending call listens to these signals, and there may be many calls.
  setMaxListeners(0, closed.signal, killed.signal);
  const settings = settingsOf(options);
  const { clock, requestTimeoutMs } = settings;
  const notify = (notice: ClientNotice): void => callListener(options.onNotice, notice);
  const save = (): void =>
    stateFile?.save(() => ({
      identity: installation.identity ?? randomUUID(),
      room: registration?.room,
      keys: keys.keys,
      contact: serverClock.toStored(),
      leases: registry.toStored(),
    }));
  const emit = ({ id: leaseId, product, feature, seats }: LeaseSubject, event: LeaseEventBody): void =>
    callListener(options.onEvent, { leaseId, product, feature, seats, ...event });
  const context: CompositionContext = { options, settings, closed, killed, notify, emit, save };
  const token = (): string | undefined => registration?.token ?? options.token;
  const onResponse = (record: ResponseRecord): void => {
    if (record.status === 401 && record.kind !== 'registration') registration?.invalidate();
    callListener(options.onResponse, record);
  };
  const http = new HttpTransport({ token, fetch: settings.fetch, clock, onResponse });
  const addresses = createAddresses(context, http);
  const stateFile = createStateFile(context);
  const stored = openState(stateFile, notify);
  const installation = { identity: identityOf(options, stored) };
  const serverClock = new ServerClock(stored?.contact, clock);
  const onProven: KeyRingOptions['onProven'] = ({ issuedAtMs }) => {
    serverClock.observe(issuedAtMs);
    unclaimed.scheduleRelease();
  };
  const keys = createKeyRing(context, { stored, http, addresses, onProven });
  const registration = createRegistration(context, { stored, http, addresses, stateFile });
  const connection = new ConnectionMonitor(notify);
  const selector = new TransportSelector({
    http,
    sessions: settings.sessions,
    token,
    clock,
    onResponse,
    onQueueUpdate: (update) => checkouts.queueUpdated(update),
    onDisconnect: (end) => moveLeases(end, { addresses, registry, checkouts, connection }),
    onConnection: ({ address, over }) => connection.connected(address, over),
  });
  const requester = createRequester(context, { selector, addresses });
  const pendingReleases = new PendingReleases({ clock, settleMs: requestTimeoutMs, killed: killed.signal });
  const transports = { selector, requester, pendingReleases, keys };
  const registry: LeaseRegistry = createRegistry(context, {
    ...transports,
    identity: () => installation.identity,
    serverClock,
    onCallDue: (lease) => renewals.enqueue(lease),
  });
  const renewals = createRenewals(context, { ...transports, registry, connection });
  const checkouts = createCheckouts(context, {
    ...transports,
    registry,
    registration,
    identity: () => installation.identity,
  });
  const unclaimed = new UnclaimedLeases(registry, { clock, keepMs: settings.keepUnclaimedMs });
  const restored = registry.restore(stored?.leases ?? []).catch(() => undefined);
  const stateAccess = createStateAccess(context, { stateFile, registration, registry, installation });
  if (stateFile) saveRegularly({ clock, save, isClosed: () => closed.signal.aborted, registry });
  return { registry, checkouts, registration, selector, stateFile, stateAccess, closed, killed, save, restored };
}

function createRequester(
  { settings }: CompositionContext,
  parts: { readonly selector: TransportSelector; readonly addresses: AddressBook },
): RetryingRequester {
  const { clock, random, backoff, requestTimeoutMs } = settings;
  const { selector: transport, addresses } = parts;
  return new RetryingRequester({
    transport,
    addresses,
    backoff,
    clock,
    requestTimeoutMs,
    random,
    newNonce: randomUUID,
  });
}

interface StateAccessParts {
  readonly stateFile: StateFile | undefined;
  readonly registration: ControlRoomRegistration | undefined;
  readonly registry: LeaseRegistry;
  readonly installation: { identity: string | undefined };
}

function createStateAccess({ options, settings, closed }: CompositionContext, parts: StateAccessParts): StateAccess {
  const { stateFile, registration, registry, installation } = parts;
  return new StateAccess({
    stateFile,
    // A Control Room with its own GUID and token needs no file.
    isRequired: registration !== undefined && (!options.controlRoom?.guid || !options.controlRoom.token),
    isShared: options.shareStateFile ?? false,
    deadlineMs: settings.checkoutDeadlineMs,
    clock: settings.clock,
    closed: closed.signal,
    onOpened: async (state) => {
      installation.identity = identityOf(options, state);
      if (state?.room) registration?.adopt(state.room);
      await registry.restore(state?.leases ?? []).catch(() => undefined);
    },
    onShared: (room) => {
      // Each process has its own leases: a common identity would give all of them the same lease.
      installation.identity = undefined;
      registration?.adopt(room);
    },
  });
}

function identityOf(options: LicenseClientOptions, stored: ClientState | undefined): string | undefined {
  return options.identity ?? stored?.identity ?? (options.stateFile === undefined ? undefined : randomUUID());
}

function createAddresses({ options, settings, closed }: CompositionContext, http: HttpTransport): AddressBook {
  const status: ClientCall = { kind: 'status', method: 'GET', path: '/v1/status', anonymous: true };
  const terms = { timeoutMs: settings.statusTimeoutMs, stop: closed.signal, background: true };
  return new AddressBook({
    addresses: options.addresses,
    trusted: options.trustedAddresses ?? [],
    fetchStatus: (address) => http.send(status, address, terms),
  });
}

function createStateFile({ options, settings, notify }: CompositionContext): StateFile | undefined {
  if (options.stateFile === undefined) return undefined;
  return new StateFile({ path: options.stateFile, clock: settings.clock, onNotice: notify });
}

function openState(stateFile: StateFile | undefined, notify: (notice: ClientNotice) => void): ClientState | undefined {
  try {
    return stateFile?.open();
  } catch (error) {
    notify({ kind: 'state', problem: 'not_readable', detail: String(error) });
    return undefined;
  }
}

interface HttpParts {
  readonly stored: ClientState | undefined;
  readonly http: HttpTransport;
  readonly addresses: AddressBook;
}

function createKeyRing(
  context: CompositionContext,
  { stored, http, addresses, onProven }: HttpParts & Pick<KeyRingOptions, 'onProven'>,
): KeyRing {
  const { options, settings, closed, save } = context;
  const call: ClientCall = { kind: 'keys', method: 'GET', path: '/.well-known/jwks.json', anonymous: true };
  const terms = { timeoutMs: settings.statusTimeoutMs, stop: closed.signal, background: true };
  return new KeyRing({
    pinned: options.keys && publicKeysOf(options.keys),
    stored: stored?.keys ?? [],
    fetchKeys: async () => http.send(call, await addresses.current(), terms),
    clock: settings.clock,
    onChange: save,
    onProven,
  });
}

function createRegistration(
  context: CompositionContext,
  { stored, http, addresses, stateFile }: HttpParts & { readonly stateFile: StateFile | undefined },
): ControlRoomRegistration | undefined {
  const { options, settings, closed, notify, save } = context;
  if (!options.controlRoom) return undefined;
  return new ControlRoomRegistration({
    definition: options.controlRoom,
    stored: stored?.room,
    newGuid: randomUUID,
    http,
    addresses,
    requestTimeoutMs: settings.requestTimeoutMs,
    backoff: settings.backoff,
    clock: settings.clock,
    random: settings.random,
    signal: closed.signal,
    onNotice: notify,
    save: () => {
      save();
      return stateFile?.flushed() ?? Promise.resolve();
    },
  });
}

/** A session was lost: its leases are renewed soon, at the address of the redirect or at another one. */
function moveLeases(
  { address, redirect }: { readonly address: string; readonly redirect: Redirect | undefined },
  parts: {
    readonly addresses: AddressBook;
    readonly registry: LeaseRegistry;
    readonly checkouts: Checkouts;
    readonly connection: ConnectionMonitor;
  },
): void {
  const { addresses, registry, checkouts, connection } = parts;
  const followed = redirect?.address === undefined ? undefined : addresses.follow(redirect.address);
  if (followed === undefined || followed === 'not_trusted') addresses.leave(address);
  const when = redirect
    ? { notBeforeMs: redirect.retryAfterMs, withinMs: RECONNECT_WITHIN_MS / 4 }
    : { notBeforeMs: 0, withinMs: RECONNECT_WITHIN_MS };
  for (const lease of registry.leases) lease.disconnected(when);
  checkouts.sessionLost();
  connection.disconnected();
}

interface RegularSave {
  readonly clock: ClientClock;
  readonly save: () => void;
  readonly isClosed: () => boolean;
  readonly registry: LeaseRegistry;
}

function saveRegularly(parts: RegularSave): void {
  const { clock, save, isClosed, registry } = parts;
  const saveAndRepeat = (): void => {
    if (isClosed()) return;
    if (registry.leases.length > 0) save();
    saveRegularly(parts);
  };
  clock.after(SAVE_EVERY_MS, saveAndRepeat, { background: true });
}
