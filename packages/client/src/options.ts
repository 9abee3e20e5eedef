import type { ClientNotice, LicenseEvent } from './events';
import { optionErrors } from './option-errors';
import type { ControlRoomDefinition } from './registration/registration';
import type { ClientClock } from './time/clock';
import type { ResponseRecord } from './transport/call';
import type { Fetch } from './transport/http-transport';

export interface LicenseClientOptions {
  /** URLs of the license service, the preferred one first. All of them receive the token. At least one. */
  readonly addresses: readonly string[];
  /** Further URLs that a server may redirect this client to. @default none */
  readonly trustedAddresses?: readonly string[];
  /** Bearer token with the scope `lease`. Set this or `controlRoom`. */
  readonly token?: string;
  /** Registers this installation as a Control Room with the license key. The client then creates its own token. */
  readonly controlRoom?: ControlRoomDefinition;
  /** Name of the lease holder, for people. @default the Control Room's GUID, or `identity` */
  readonly holder?: string;
  /**
   * Name of this installation: stable across restarts and unique among running installations. With it, a restarted
   * installation gets its leases back even without a state file. @default generated and stored in the state file
   */
  readonly identity?: string;
  /** File that keeps leases across restarts. Only one process may use it. @default none */
  readonly stateFile?: string;
  /**
   * Several processes use one `stateFile` with a `controlRoom`. The first one owns the file. The others use its Control Room
   * read-only and store nothing. Without it they are refused with `state_in_use`. @default false
   */
  readonly shareStateFile?: boolean;
  /** Pinned public keys of the service, a JSON Web Key Set. With it, no other key is trusted. */
  readonly keys?: { readonly keys: readonly object[] };
  /** Uses one WebSocket for all requests, if the service offers it. @default true */
  readonly sessions?: boolean;
  /** Restored leases that are not checked out again are released after this time from the first response. @default 600000 */
  readonly keepUnclaimedMs?: number;
  /** Time-out of one request. Must exceed the time-out of the public address. @default 10000 */
  readonly requestTimeoutMs?: number;
  /** Time-out of one `GET /v1/status` when the client compares addresses. @default 2000 */
  readonly statusTimeoutMs?: number;
  /** Deadline of one checkout including retries, without the time in the queue. @default 30000 */
  readonly checkoutDeadlineMs?: number;
  /** Deadline of one release including retries. @default 10000 */
  readonly releaseDeadlineMs?: number;
  /** First and longest delay between retries, before jitter. @default 250 and 15000 */
  readonly backoffBaseMs?: number;
  readonly backoffCapMs?: number;
  /** Random number in [0, 1) for jitter. @default Math.random */
  readonly random?: () => number;
  /** Creates lease ids. @default randomUUID */
  readonly newLeaseId?: () => string;
  /** @default the clocks of the process */
  readonly clock?: ClientClock;
  readonly fetch?: Fetch;
  /** Receives the events of leases. */
  readonly onEvent?: (event: LicenseEvent) => void;
  /** Receives the notices of the client itself. */
  readonly onNotice?: (notice: ClientNotice) => void;
  /** Receives every response and every failed request. */
  readonly onResponse?: (record: ResponseRecord) => void;
}

export interface CheckoutRequest {
  readonly product: string;
  readonly feature: string;
  /** @default 1 */
  readonly seats?: number;
  /** Required if several licenses provide the feature and the token belongs to no Control Room. */
  readonly licenseId?: string;
  /** Name of the holder, for people, for example a user name. @default the client's holder */
  readonly holder?: string;
  /** Name that identifies this lease after a restart. @default derived from the client's identity */
  readonly identity?: string;
  /** Longest time in the queue when no seat is free. @default 0, no queueing */
  readonly queueMs?: number;
  /** Receives each new queue position. Position 1 is served next. */
  readonly onPosition?: (position: number) => void;
  /** Borrows the seats for offline use for this time. */
  readonly borrowSeconds?: number;
  /** Cancels the checkout: the client releases the seats or leaves the queue. */
  readonly signal?: AbortSignal;
}

/**
 * @throws TypeError that lists every error in the options: they are programming errors of the application.
 */
export function checkOptions(options: LicenseClientOptions): void {
  const errors = optionErrors(options);
  if (errors.length > 0) throw new TypeError(`license client: ${errors.join('; ')}`);
}
