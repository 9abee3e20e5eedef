import { randomUUID } from 'node:crypto';
import type { CompositionContext } from '../composition-context';
import type { KeyRing } from '../keys/key-ring';
import type { ControlRoomRegistration } from '../registration/registration';
import type { ServerClock } from '../time/server-clock';
import type { ConnectionMonitor } from '../transport/connection-monitor';
import type { RetryingRequester } from '../transport/retrying-requester';
import type { TransportSelector } from '../transport/transport-selector';
import { Checkouts } from './checkouts';
import { LeaseRegistry } from './lease-registry';
import type { PendingReleases } from './pending-releases';
import { Renewals } from './renewals';

/** Parts that registry, renewals and checkouts share. */
export interface LeaseParts {
  readonly selector: TransportSelector;
  readonly requester: RetryingRequester;
  readonly pendingReleases: PendingReleases;
  readonly keys: KeyRing;
}

export function createRegistry(
  { settings, killed, notify, emit, save }: CompositionContext,
  parts: LeaseParts & {
    /** Undefined when there is none yet. */
    readonly identity: () => string | undefined;
    readonly serverClock: ServerClock;
    readonly onCallDue: (lease: Parameters<Renewals['enqueue']>[0]) => void;
  },
): LeaseRegistry {
  const { requester, pendingReleases, keys, identity, serverClock, onCallDue } = parts;
  const terms = { deadlineMs: settings.releaseDeadlineMs, signal: killed.signal, background: false };
  return new LeaseRegistry({
    installation: identity,
    serverClock,
    keys,
    clock: settings.clock,
    random: settings.random,
    newLeaseId: settings.newLeaseId,
    onLeaseEvent: emit,
    onCallDue,
    release: (lease) => pendingReleases.track(lease.id, requester.request(lease.releaseCall, terms)),
    onDropped: (leaseId, detail) => notify({ kind: 'lease_dropped', leaseId, detail }),
    onChange: save,
  });
}

export function createRenewals(
  { settings, closed, emit }: CompositionContext,
  parts: LeaseParts & { readonly registry: LeaseRegistry; readonly connection: ConnectionMonitor },
): Renewals {
  const { requester, selector, keys, registry, connection } = parts;
  return new Renewals({
    requester,
    selector,
    keys,
    clock: settings.clock,
    newNonce: randomUUID,
    random: settings.random,
    backoff: settings.backoff,
    requestTimeoutMs: settings.requestTimeoutMs,
    signal: closed.signal,
    leases: () => registry.leases,
    onDistrusted: (lease, address) => emit(lease, { kind: 'distrusted', address }),
    onRound: (answered) => {
      if (!answered) connection.disconnected();
    },
  });
}

export function createCheckouts(
  { options, settings, closed, killed, emit }: CompositionContext,
  parts: LeaseParts & {
    readonly registry: LeaseRegistry;
    readonly registration: ControlRoomRegistration | undefined;
    readonly identity: () => string | undefined;
  },
): Checkouts {
  const { requester, pendingReleases, keys, registry, registration, identity } = parts;
  return new Checkouts({
    requester,
    registry,
    pendingReleases,
    keys,
    clock: settings.clock,
    newLeaseId: settings.newLeaseId,
    holder: () => options.holder ?? registration?.room.guid ?? identity() ?? 'unknown',
    deadlineMs: settings.checkoutDeadlineMs,
    releaseDeadlineMs: settings.releaseDeadlineMs,
    closed: closed.signal,
    killed: killed.signal,
    prepare: async (deadlineMs, signal) => {
      const outcome = await registration?.ready(deadlineMs, signal);
      if (outcome === undefined || outcome.kind === 'registered') return undefined;
      return outcome.kind === 'unavailable' ? { kind: 'unavailable', because: outcome.reason } : outcome;
    },
    onLeaseEvent: emit,
  });
}
