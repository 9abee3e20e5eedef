/** What an API token may do. `lease` checks out, renews and releases; `read` looks; `admin` looks and releases. */
export type Scope = 'lease' | 'read' | 'admin';

export const SCOPES: readonly Scope[] = ['lease', 'read', 'admin'];

export function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}

/** Any one of the wanted scopes is enough. */
export function allows(held: readonly Scope[], wanted: readonly Scope[]): boolean {
  return wanted.some((scope) => held.includes(scope));
}

/** How a Control Room stands with its license; the server moves it after missed heartbeats, and back. */
export type ControlRoomState = 'active' | 'fail_safe' | 'suspended';

/**
 * On whose behalf a request is made: an API token. One that is bound to a Control Room acts within that Control Room's
 * license alone, and only on that Control Room's leases.
 */
export interface Caller {
  /** The name of the API token. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly controlRoom?: string;
  /** The license of that Control Room. */
  readonly licenseId?: string;
  readonly controlRoomState?: ControlRoomState;
  /** How long that license lets a Control Room be silent. */
  readonly graceSeconds?: number;
}
