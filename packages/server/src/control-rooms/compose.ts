import type { Logger } from 'pino';
import type { ApiTokenVerifier } from '../api-tokens/api-token-verifier';
import type { AcknowledgementGate } from '../epochs/acknowledgement-gate';
import type { EpochTransactions } from '../epochs/epoch-transactions';
import type { RoleMonitor } from '../epochs/role-monitor';
import type { MonotonicClock } from '../platform/clock';
import type { Metrics } from '../platform/metrics';
import { HeartbeatRecorder } from './heartbeat-recorder';
import { RegistrationService } from './registration-service';
import { StateChangeLogger } from './state-change-logger';
import { StateSweeper } from './state-sweeper';
import type { ControlRoomStore } from './store';

/** The services and background jobs for Control Rooms. */
export interface ControlRoomServices {
  readonly registrations: RegistrationService;
  readonly heartbeats: HeartbeatRecorder;
  start(): void;
  /** Writes the last heartbeats before it resolves. */
  stop(): Promise<void>;
}

export function createControlRooms(options: {
  readonly region: string;
  readonly server: string;
  readonly store: ControlRoomStore;
  readonly role: RoleMonitor;
  readonly transactions: EpochTransactions;
  readonly gate: AcknowledgementGate;
  readonly tokenVerifier: ApiTokenVerifier;
  readonly clock: MonotonicClock;
  readonly metrics: Metrics;
  readonly log: Logger;
}): ControlRoomServices {
  const changeLogger = new StateChangeLogger(options);
  const heartbeats = new HeartbeatRecorder({ ...options, changeLogger });
  const sweeper = new StateSweeper({ ...options, changeLogger });
  return {
    registrations: new RegistrationService(options),
    heartbeats,
    start: () => {
      heartbeats.start();
      sweeper.start();
    },
    stop: async () => {
      await Promise.all([sweeper.stop(), heartbeats.stop()]);
    },
  };
}
