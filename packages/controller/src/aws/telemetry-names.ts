/** The names of the metrics, shared with their alarms. A metric without a unit in its name is a count. */
export const METRIC_NAMESPACE = 'Evergrant';
export const CONTROLLER_METRICS = {
  /** The heartbeat: one for each cycle that read and wrote its record. */
  cycle: 'ControllerCycle',
  blind: 'ControllerBlind',
  failed: 'ControllerFailed',
  pendingFences: 'FenceDebts',
  /** Seconds since the automation was last armed. */
  unarmedSeconds: 'AutomationUnarmedSeconds',
  holdingSeconds: 'HoldingSeconds',
  applicationDown: 'ApplicationDown',
  databaseDown: 'DatabaseDown',
  standbyNotReady: 'StandbyNotReady',
} as const;
