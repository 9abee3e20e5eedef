import type { Logger } from 'pino';
import type { MonotonicClock } from '../ports';
import type { Registry } from '../registry-ports';
import type { SigningKey } from '../tokens/jws';
import { createOfflineTokens } from '../tokens/offline-tokens';
import type { ApiTokens } from './api-tokens';
import { ControlRoomPulse } from './control-room-pulse';
import { ControlRoomWatch } from './control-room-watch';
import type { EpochWork } from './epoch-work';
import type { LeaseDesk } from './lease-desk';
import type { Metrics } from './metrics';
import { MovementReport } from './movement-report';
import { OfflineDesk } from './offline-desk';
import { RegistryDesk } from './registry-desk';
import type { RoleDuty } from './role';

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
