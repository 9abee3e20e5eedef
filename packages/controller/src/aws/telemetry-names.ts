/** The metrics' names, shared with the alarms on them. One without a unit in its name is a count. */
export const METRIC_NAMESPACE = 'Evergrant';
export const CONTROLLER_METRICS = {
  /** One a cycle that could read and write its record: the heartbeat. */
  cycle: 'ControllerCycle',
  blind: 'ControllerBlind',
  failed: 'ControllerFailed',
  pendingFences: 'FenceDebts',
  /** How long the automation has not been armed, in seconds. */
  unarmedSeconds: 'AutomationUnarmedSeconds',
  holdingSeconds: 'HoldingSeconds',
  applicationDown: 'ApplicationDown',
  databaseDown: 'DatabaseDown',
  standbyNotReady: 'StandbyNotReady',
} as const;
