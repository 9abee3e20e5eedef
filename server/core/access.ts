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
