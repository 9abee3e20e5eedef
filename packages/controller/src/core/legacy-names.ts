/**
 * Names of earlier releases in stored records, and their present names. A reader of stored JSON applies them, so a
 * record that an earlier release has written is understood. A name that is not listed is not changed.
 */

type Names = Readonly<Record<string, string>>;

const PROPERTIES: Names = {
  because: 'reason',
  standing: 'verdictState',
  allClearOwed: 'resolvedPending',
  fenceDebts: 'pendingFences',
  'keep-old-database': 'archive-database',
  'hand-over': 'switchover',
};

const OPERATIONS: Names = { 'keep-old-database': 'archive-database', 'hand-over': 'switchover' };

/** Values by the property that holds them: a name that an operator wrote, such as a reason, is never changed. */
const VALUES: Readonly<Record<string, Names>> = {
  kind: {
    ...OPERATIONS,
    'fence-debt': 'pending-fence',
    'application-down': 'application_down',
    'database-down': 'database_down',
    'standby-not-ready': 'standby_not_ready',
    'fail-over': 'fail_over',
    'serving-from-standby': 'not_rejoined',
    serving_from_standby: 'not_rejoined',
  },
  operation: OPERATIONS,
  stage: OPERATIONS,
  phase: {
    settle: 'complete',
    'hand-back-fence': 'confirm_fence',
    'keep-database': 'archive_database',
    'build-follower': 'build_follower',
    'keep-up': 'catch_up',
    check: 'preflight',
  },
  fence: { owed: 'pending' },
  change: { owed: 'deferred', paid: 'applied', void: 'obsolete' },
  code: {
    unprotected: 'failover-not-possible',
    'fence-debt-paid': 'pending-fence-applied',
    'fence-debt-void': 'pending-fence-obsolete',
  },
};

/** Properties whose tags were written with hyphens. */
const TAGS: ReadonlySet<string> = new Set(['cause', 'watch', 'standby', 'observed', 'outcome', 'carriedOver']);

export function presentProperty(name: string): string {
  return PROPERTIES[name] ?? name;
}

export function presentValue(property: string, value: string): string {
  return TAGS.has(property) ? value.replaceAll('-', '_') : (VALUES[property]?.[value] ?? value);
}
