/**
 * Rules and steps of the failover order that the simulator can disable, to show that each absence is detected. The
 * product has no such switches: the simulator passes other policies and ports into its constructors.
 */
export const RULES = {
  S1: 'grants of a pool are decided under its row lock',
  'database-constraint': 'a constraint of the database refuses to oversell a pool',
  S2: 'an answer waits until the follower lacks at most the escrow',
  'S2-borrow': 'a borrow is answered only when the follower has it',
  S3: 'a token of an earlier epoch is adopted',
  'S3-released': 'a released lease is never adopted',
  'announced-import': 'an import that widens terms comes into force when the follower has it',
  'take-back': 'a seat that was taken back is sold again only when the follower has that',
  'S4-extend': 'opening an epoch extends live leases',
  'S4-hold-back': 'opening an epoch holds back as many seats as unknown grants may exist',
  'S4-skew': 'opening an epoch extends each lease by at least the clock skew',
  'S4-doubt': 'a lease that may have ended in the lost region is in doubt',
  'S5-acknowledge': 'every answer needs a proof of authority that is fresh when it is sent',
  'S5-lapse': 'a new epoch opens after every proof of the old one has expired',
  'renewal-order': 'a renewal that arrives late does not set the record back',
  S6: 'unprotected granting is recorded in the authority store first',
  'one-follower': 'only the follower that can be promoted acknowledges',
  'S7-expiry': "the database's clock decides expiry",
  'S7-monotonic': 'durations are measured on monotonic clocks',
  'audit-gap': 'lost audit events are declared in the audit log',
  latch: 'the epoch is taken before any other step',
  fence: 'the old region is fenced',
  drain: 'the follower replays what it has received, and a living source is closed first',
  promote: 'the follower is promoted',
  verify: 'a write is accepted before the epoch opens',
  open: 'the epoch is opened in the authority store',
  switch: 'the new region serves and the public address points to it',
  complete: 'the automation is disarmed after a failover',
  'confirm-window': 'every sample of the confirmation window shows both down',
  'witness-veto': 'the witness must agree',
  'follower-veto': 'a follower that hears its primary vetoes a failover',
  'renewal-veto': 'a renewal of authority vetoes a failover',
  gate: 'the standby must be able to take over',
  'act-in-time': 'a controller that was stopped does not act on old observations',
  'promote-guard': 'a follower that knows a newer epoch is not promoted',
  'control-version': 'the control record refuses a stale writer',
} as const;

export type Rule = keyof typeof RULES;

export const RULE_NAMES = Object.keys(RULES) as Rule[];

export type DisabledRules = ReadonlySet<Rule>;

export const NONE: DisabledRules = new Set();

/** Rules whose absence violates no safety invariant at once, but leaves an installation unserved in the end. */
export const LIVENESS_ONLY: ReadonlySet<Rule> = new Set<Rule>([
  'fence',
  'promote',
  'verify',
  'open',
  'switch',
  'complete',
  'control-version',
  'promote-guard',
]);
