import type { EventLevel } from '../world/events';

/** An event of the database supervisor, for the event log. */
export interface SupervisorEvent {
  /** `oregon/db-b`, or `databases` for an event that concerns no single instance. */
  readonly source: string;
  readonly level: EventLevel;
  readonly text: string;
}

export type EmitSupervisorEvent = (event: SupervisorEvent) => void;
