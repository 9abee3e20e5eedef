import type { Logger } from 'pino';
import type { MonotonicClock } from '../ports';
import type { Registry } from '../registry-ports';
import type { ApiTokens } from './api-tokens';
import { ControlRoomPulse } from './control-room-pulse';
import { ControlRoomWatch } from './control-room-watch';
import type { EpochWork } from './epoch-work';
import type { Metrics } from './metrics';
import { MovementReport } from './movement-report';
import { RegistryDesk } from './registry-desk';
import type { RoleDuty } from './role';

/** All that a server does about Control Rooms, wired. */
export interface ControlRooms {
  readonly registry: RegistryDesk;
  readonly pulse: ControlRoomPulse;
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
  readonly clock: MonotonicClock;
  readonly metrics: Metrics;
  readonly log: Logger;
}): ControlRooms {
  const report = new MovementReport(options);
  const pulse = new ControlRoomPulse({ ...options, report });
  const watch = new ControlRoomWatch({ ...options, report });
  return {
    registry: new RegistryDesk(options),
    pulse,
    start: () => {
      pulse.start();
      watch.start();
    },
    stop: async () => {
      await Promise.all([watch.stop(), pulse.stop()]);
    },
  };
}
