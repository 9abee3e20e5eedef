import type { Metrics } from '@evergrant/server/platform/metrics';
import type { Logger } from 'pino';

/** Metrics and logs that nobody reads: whatever is called on them does nothing. */
const NOTHING = (): (() => void) => () => undefined;

/** `metrics.grants.inc()` and `metrics.showPools()` alike. */
const COUNTER = new Proxy(NOTHING, { get: () => NOTHING });

export const QUIET_METRICS = new Proxy({}, { get: () => COUNTER }) as Metrics;

/** What must never be found: that somebody has changed the audit log. */
const TAMPERED: ReadonlySet<unknown> = new Set(['audit-contradicted', 'audit-set-back']);

/** A log that keeps what is announced to people, and errors. */
export function quietLog(announce: (text: string) => void, tampered: (text: string) => void): Logger {
  const tell = (fields: unknown): void => {
    const { announce: text } = (fields ?? {}) as { announce?: unknown };
    if (typeof text === 'string') announce(text);
  };
  const fault = (fields: unknown, message?: unknown): void => {
    tell(fields);
    if (TAMPERED.has((fields as { alert?: unknown } | undefined)?.alert)) tampered(String(message));
    if (message !== undefined) announce(`${String(message)}: ${JSON.stringify(fields)}`);
  };
  return { debug: () => undefined, info: tell, warn: tell, error: fault } as unknown as Logger;
}
