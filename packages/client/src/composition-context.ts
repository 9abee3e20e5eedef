import type { ClientNotice, LeaseEventBody } from './events';
import type { LeaseSubject } from './leases/checkouts';
import type { LicenseClientOptions } from './options';
import type { ClientSettings } from './settings';

/** Settings, signals and callbacks that all parts share. */
export interface CompositionContext {
  readonly options: LicenseClientOptions;
  readonly settings: ClientSettings;
  readonly closed: AbortController;
  readonly killed: AbortController;
  readonly notify: (notice: ClientNotice) => void;
  readonly emit: (subject: LeaseSubject, event: LeaseEventBody) => void;
  readonly save: () => void;
}
