import { randomUUID } from 'node:crypto';
import type { BackoffPolicy } from './core/backoff';
import type { LicenseClientOptions } from './options';
import { type ClientClock, PROCESS_CLOCK } from './time/clock';
import type { Fetch } from './transport/http-transport';

/** The options that have defaults, with the defaults applied. */
export interface ClientSettings {
  readonly clock: ClientClock;
  readonly random: () => number;
  readonly newLeaseId: () => string;
  readonly fetch: Fetch;
  readonly sessions: boolean;
  readonly backoff: BackoffPolicy;
  readonly requestTimeoutMs: number;
  readonly statusTimeoutMs: number;
  readonly checkoutDeadlineMs: number;
  readonly releaseDeadlineMs: number;
  readonly keepUnclaimedMs: number;
}

export function settingsOf(options: LicenseClientOptions): ClientSettings {
  return {
    clock: options.clock ?? PROCESS_CLOCK,
    random: options.random ?? Math.random,
    newLeaseId: options.newLeaseId ?? randomUUID,
    fetch: options.fetch ?? globalThis.fetch,
    sessions: options.sessions ?? true,
    backoff: { baseMs: options.backoffBaseMs ?? 250, capMs: options.backoffCapMs ?? 15_000 },
    requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
    statusTimeoutMs: options.statusTimeoutMs ?? 2_000,
    checkoutDeadlineMs: options.checkoutDeadlineMs ?? 30_000,
    releaseDeadlineMs: options.releaseDeadlineMs ?? 10_000,
    keepUnclaimedMs: options.keepUnclaimedMs ?? 600_000,
  };
}
