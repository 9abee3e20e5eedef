import type { Ports } from '@evergrant/controller/ports';

/** The part of the controller's ports that an operator's command needs, wherever the system runs. */
export interface OperatorTarget {
  readonly ports: Pick<Ports, 'control' | 'authority' | 'clock'>;
  close(): Promise<void>;
}

export type OpenTarget = () => Promise<OperatorTarget>;
