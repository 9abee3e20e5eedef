import type { Ports } from '../lambda/failover/ports';

/** The part of the controller's ports that an operator's command needs, wherever the system runs. */
export interface OperatorTarget {
  readonly ports: Pick<Ports, 'control' | 'authority' | 'clock'>;
  /** A controller that has not finished a cycle for longer is taken for dead. */
  readonly controllerSilentAfterMs: number;
  close(): Promise<void>;
}

export type OpenTarget = () => Promise<OperatorTarget>;
