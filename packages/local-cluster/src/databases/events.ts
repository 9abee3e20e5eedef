import type { EventLevel } from '../world/events';

/** Something people should know, said once. */
export interface SupervisorEvent {
  /** `oregon/db-b`, or `databases` for what concerns none of them alone. */
  readonly source: string;
  readonly level: EventLevel;
  readonly text: string;
}

export type EmitSupervisorEvent = (announcement: SupervisorEvent) => void;
