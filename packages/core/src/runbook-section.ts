/** Alert codes whose runbook section has a different name. */
const SECTIONS: Readonly<Record<string, string>> = {
  'failover-done': 'failover-done',
  'failover-abandoned': 'failover-abandoned',
  'standby-application-down': 'standby-down',
  'standby-database-down': 'standby-down',
  'standby-both-down': 'standby-down',
  'pending-fence-applied': 'fence-applied',
  'pending-fence-obsolete': 'fence-applied',
};

/** The heading of docs/runbook.md with the instructions for an alert, by the alert's code. */
export function runbookSection(code: string): string {
  const own = SECTIONS[code];
  if (own !== undefined) return own;
  if (code.endsWith('-superseded')) return 'superseded';
  return /-(started|done|abandoned)$/.test(code) ? 'operation-started-or-ended' : code;
}
