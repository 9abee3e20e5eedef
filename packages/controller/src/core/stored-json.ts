import { presentProperty, presentValue } from './legacy-names';

/** The JSON form of a record or a history entry: an absent value is written as null. */
export function toStoredJson(value: unknown): string {
  return JSON.stringify(value, (_property, member: unknown) => member ?? null);
}

/** The same form as a value, for output as JSON. */
export function toStored(value: unknown): unknown {
  return JSON.parse(toStoredJson(value));
}

/** Reads the parsed JSON form: null becomes undefined, and names of earlier releases become the present ones. */
export function fromStored<Value>(stored: unknown): Value {
  return present(stored) as Value;
}

function present(stored: unknown, property = ''): unknown {
  if (stored === null) return undefined;
  if (typeof stored === 'string') return presentValue(property, stored);
  if (Array.isArray(stored)) return stored.map((member) => present(member));
  if (typeof stored !== 'object') return stored;
  const entries = Object.entries(stored as Record<string, unknown>);
  return Object.fromEntries(entries.map(([name, member]) => [presentProperty(name), present(member, name)]));
}
