import { Metrics } from '@evergrant/server/platform/metrics';
import { type Logger, pino } from 'pino';

const nothing = (): (() => void) => () => undefined;

/** Accepts `metrics.grants.inc()` and `metrics.showPools()` alike. */
const NULL_METRIC = new Proxy(nothing, { get: () => nothing });

/** Metrics that count nothing. */
export const NULL_METRICS: Metrics = new Proxy(Object.create(Metrics.prototype), { get: () => NULL_METRIC });

/** Alerts that claim a manipulated audit log; no run may raise them. */
const TAMPERING_ALERTS: ReadonlySet<unknown> = new Set(['audit-contradicted', 'audit-set-back']);
const ERROR_LEVEL = 50;

export interface LogObserver {
  /** A message for operators, or an error. */
  readonly announced: (text: string) => void;
  readonly tamperingAlert: (text: string) => void;
}

/** A log without output, which reports announcements and errors to `observer`. */
export function observedLog({ announced, tamperingAlert }: LogObserver): Logger {
  const logMethod = ([fields, message]: unknown[], _method: unknown, level: number): void => {
    const { announce, alert } = (fields ?? {}) as { readonly announce?: unknown; readonly alert?: unknown };
    if (typeof announce === 'string') announced(announce);
    if (level < ERROR_LEVEL) return;
    if (TAMPERING_ALERTS.has(alert)) tamperingAlert(String(message));
    if (message !== undefined) announced(`${String(message)}: ${JSON.stringify(fields)}`);
  };
  return pino({ level: 'info', hooks: { logMethod } }, { write: () => undefined });
}
