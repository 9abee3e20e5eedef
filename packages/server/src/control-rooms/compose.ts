import type { Logger } from 'pino';
import type { ApiTokens } from '../api-tokens/api-tokens';
import type { EpochWork } from '../epochs/epoch-transactions';
import type { RoleDuty } from '../epochs/role-monitor';
import type { LeaseDesk } from '../granting/lease-service';
import type { MonotonicClock } from '../platform/clock';
import type { SigningKey } from '../platform/jws';
import type { Metrics } from '../platform/metrics';
import { ControlRoomPulse } from './heartbeat-recorder';
import { OfflineDesk } from './offline-service';
import { createOfflineTokens } from './offline-tokens';
import type { Registry } from './ports';
import { RegistryDesk } from './registration-service';
import { MovementReport } from './state-change-logger';
import { ControlRoomWatch } from './state-sweeper';

/** All that a server does about Control Rooms, wired. */
export interface ControlRooms {
  readonly registry: RegistryDesk;
  readonly pulse: ControlRoomPulse;
  readonly offline: OfflineDesk;
  start(): void;
  /** Writes down what was heard last. */
  stop(): Promise<void>;
}

export function createControlRooms(options: {
  readonly region: string;
  readonly server: string;
  readonly registry: Registry;
  readonly role: RoleDuty;
  readonly work: EpochWork;
  readonly apiTokens: ApiTokens;
  readonly desk: LeaseDesk;
  readonly signingKeys: readonly SigningKey[];
  readonly clock: MonotonicClock;
  readonly metrics: Metrics;
  readonly log: Logger;
}): ControlRooms {
  const report = new MovementReport(options);
  const pulse = new ControlRoomPulse({ ...options, report });
  const tokens = createOfflineTokens(options.signingKeys);
  const watch = new ControlRoomWatch({ ...options, report });
  return {
    registry: new RegistryDesk(options),
    pulse,
    offline: new OfflineDesk({ ...options, registry: options.registry.offline, tokens }),
    start: () => {
      pulse.start();
      watch.start();
    },
    stop: async () => {
      await Promise.all([watch.stop(), pulse.stop()]);
    },
  };
}
