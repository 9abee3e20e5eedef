export type Severity = 'info' | 'warning' | 'critical';

/** A message for people. `id` is unique, so that a receiver recognizes an alert that is sent a second time. */
export interface Alert {
  readonly id: string;
  /** Stable name, for example `standby-not-ready`. */
  readonly code: string;
  readonly severity: Severity;
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly raisedAtMs: number;
}
