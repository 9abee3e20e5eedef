/** The permissions of an API token. `lease` checks out, renews and releases; `read` reads; `admin` administers. */
export type Scope = 'lease' | 'read' | 'admin';

export const SCOPES: readonly Scope[] = ['lease', 'read', 'admin'];

export function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}

/** True when the token has any of the required scopes. */
export function allows(held: readonly Scope[], required: readonly Scope[]): boolean {
  return required.some((scope) => held.includes(scope));
}

/** The state of a Control Room. The server changes it after missed heartbeats, and restores it after new ones. */
export type ControlRoomState = 'active' | 'fail_safe' | 'suspended';

/**
 * The API token that a request presents. A token that is bound to a Control Room is limited to that Control Room's
 * license and leases.
 */
export interface Caller {
  /** The name of the API token. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly controlRoom?: string;
  /** The license of that Control Room. */
  readonly licenseId?: string;
  readonly controlRoomState?: ControlRoomState;
  /** How long that license lets a Control Room miss heartbeats. */
  readonly graceSeconds?: number;
}
