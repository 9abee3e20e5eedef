import type { ClientNotice, LicenseEvent } from './events';
import type { ControlRoomDefinition } from './registration/registration';
import type { ClientClock } from './time/clock';
import type { ResponseRecord } from './transport/call';
import type { Fetch } from './transport/http-transport';

export interface LicenseClientOptions {
  /** The license service's addresses, the preferred first; all of them may see the token. At least one. */
  readonly addresses: readonly string[];
  /** Addresses that a server may send this client to besides the configured ones. @default none */
  readonly trustedAddresses?: readonly string[];
  /** The bearer token; scope `lease`. Either this or `controlRoom`. */
  readonly token?: string;
  /** Registers this installation as a Control Room, with the license key; the token is then the client's own affair. */
  readonly controlRoom?: ControlRoomDefinition;
  /** Who holds the leases, for people. @default the Control Room's GUID, or `identity` */
  readonly holder?: string;
  /**
   * A name of this installation that survives its restarts, and that no other running one has: with it a restarted
   * installation gets its leases back even without a state file. @default drawn once and kept in the state file
   */
  readonly identity?: string;
  /** Where leases are kept across restarts, for this process alone. @default nowhere */
  readonly stateFile?: string;
  /** The service's public keys (a JSON Web Key Set), when they are given with the application: no others are trusted then. */
  readonly keys?: { readonly keys: readonly object[] };
  /** One WebSocket for everything, where the service offers it. @default true */
  readonly sessions?: boolean;
  /** How long leases of an earlier life wait to be asked for, once a server is reached, before they are given back. @default 600000 */
  readonly keepUnclaimedMs?: number;
  /** For one request. Longer than the public address needs to say that a region is gone. @default 10000 */
  readonly requestTimeoutMs?: number;
  /** For one `GET /v1/status` when addresses are compared. @default 2000 */
  readonly statusTimeoutMs?: number;
  /** For one checkout with all its tries; standing in line is not counted. @default 30000 */
  readonly checkoutDeadlineMs?: number;
  /** For one release with all its tries. @default 10000 */
  readonly releaseDeadlineMs?: number;
  /** The first and the longest pause between tries, before jitter. @default 250 and 15000 */
  readonly backoffBaseMs?: number;
  readonly backoffCapMs?: number;
  /** In [0, 1); for jitter. @default Math.random */
  readonly random?: () => number;
  /** @default randomUUID; a test makes it repeatable. */
  readonly newLeaseId?: () => string;
  /** @default the process's own clocks; a simulation brings its own. */
  readonly clock?: ClientClock;
  readonly fetch?: Fetch;
  /** What happens to leases. */
  readonly onEvent?: (event: LicenseEvent) => void;
  /** What happens to the client itself. */
  readonly onNotice?: (notice: ClientNotice) => void;
  /** Gets every response, and every failure to get one. */
  readonly onResponse?: (record: ResponseRecord) => void;
}

export interface CheckoutRequest {
  readonly product: string;
  readonly feature: string;
  /** @default 1 */
  readonly seats?: number;
  /** Needed when several licenses provide the feature and the token belongs to no Control Room. */
  readonly licenseId?: string;
  /** Who holds the seats, for people: a user's name, say. @default the client's holder */
  readonly holder?: string;
  /** A name under which this very lease is found again after a restart. @default from the client's identity */
  readonly identity?: string;
  /** Stands in line when no seat is free, for so long at most. @default not at all */
  readonly queueMs?: number;
  /** Told while it stands in line; 1 comes next. */
  readonly onPosition?: (position: number) => void;
  /** Takes the seats along for offline use, for so long. */
  readonly borrowSeconds?: number;
  /** Gives up: what was taken, or the place in line, is given back. */
  readonly signal?: AbortSignal;
}

/**
 * @throws TypeError that names every mistake: they are the host's to find when it is written, not when it runs.
 */
export function checkOptions(options: LicenseClientOptions): void {
  const { token, controlRoom, stateFile, holder, identity } = options;
  const errors: string[] = [];
  if ((token === undefined) === (controlRoom === undefined)) errors.push('give either token or controlRoom');
  if (controlRoom && controlRoom.token === undefined && stateFile === undefined) {
    errors.push('controlRoom needs a stateFile: the token that is drawn for it must not be forgotten');
  }
  if (holder === undefined && identity === undefined && controlRoom === undefined) {
    errors.push('give a holder, an identity or a controlRoom: somebody has to hold the leases');
  }
  if (errors.length > 0) throw new TypeError(`license client: ${errors.join('; ')}`);
}
