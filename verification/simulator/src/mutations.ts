import type { Theme } from './scenario/profiles';

/**
 * What can be left out, in the simulator alone: each rule, and each step of the failover order. The product has no such
 * switches; here its parts are wrapped where they meet the world.
 */
export const RULES = {
  S1: 'grants of a pool are decided under its row lock',
  'last-defence': 'a constraint of the database refuses more seats than there are',
  S2: 'an answer waits until the follower lacks no more than the escrow',
  'S2-borrow': 'a borrow is answered only when the follower has it',
  S3: 'a token of an earlier epoch is adopted',
  'S3-released': 'a released lease is never adopted',
  'S4-extend': 'the opening of an epoch extends live leases',
  'S4-hold-back': 'the opening of an epoch holds back as many seats as unknown grants may exist',
  'S4-skew': 'the opening of an epoch moves the ends that another clock has told by the skew',
  'S4-doubt': 'what may have ended in the lost region is in doubt',
  'S5-acknowledge': 'nothing is acknowledged without a proof at the moment of the answer',
  'S5-lapse': 'a new epoch opens after every proof of the old one has lapsed',
  S6: 'unprotected grants are recorded in the authority store first',
  'S7-expiry': "the database's clock decides what has expired",
  'S7-monotonic': 'durations are measured on monotonic clocks',
  'audit-gap': 'what is lost of the audit log is declared in it',
  latch: 'the epoch is taken before anything else',
  fence: 'the old region is fenced',
  drain: 'the follower replays what it has received, and a living origin is closed first',
  promote: 'the follower is promoted',
  verify: 'a write is accepted before the epoch opens',
  open: 'the epoch is opened in the authority store',
  switch: 'the new region serves and the public address leads to it',
  settle: 'the automation is disarmed after a failover',
  'confirm-window': 'every sample of the window says that both are down',
  'witness-veto': 'the witness must agree',
  'follower-veto': 'a follower that hears its primary vetoes a failover',
  'renewal-veto': 'a renewal of authority vetoes a failover',
  gate: 'the standby must be able to take over',
  'act-in-time': 'a controller that was stopped does not act on old looks',
  'promote-guard': 'a follower that knows a newer epoch is not promoted',
  'control-version': 'a stale writer of the control record is refused',
} as const;

/** Where a search for the lack of a rule looks first. */
export const THEME_OF: Readonly<Partial<Record<string, Theme>>> = {
  ...{ S1: 'busy', 'last-defence': 'busy', S2: 'tail', 'S2-borrow': 'borrowed', S3: 'tail', 'S3-released': 'returned' },
  ...{ 'S4-extend': 'heartbeats', 'S4-hold-back': 'tail', 'S4-doubt': 'lapsed', 'S4-skew': 'lent' },
  ...{ 'S5-acknowledge': 'stopped', 'audit-gap': 'tail' },
  ...{ 'S5-lapse': 'isolation', S6: 'unprotected', 'S7-expiry': 'clocks', 'S7-monotonic': 'isolation' },
  ...{ latch: 'unlatched', fence: 'tail', drain: 'plan', promote: 'tail', verify: 'tail', open: 'tail' },
  ...{ switch: 'tail', settle: 'tail', 'confirm-window': 'blink', 'witness-veto': 'one-knows' },
  ...{ 'follower-veto': 'one-knows', 'renewal-veto': 'one-knows', gate: 'unfit', 'act-in-time': 'late' },
  ...{ 'promote-guard': 'belated', 'control-version': 'stale' },
};

/** Without these nobody is harmed at once; but somebody is not served in the end. */
export const PUNISHED_IN_THE_END: ReadonlySet<string> = new Set([
  ...['fence', 'promote', 'verify', 'open', 'switch', 'settle', 'control-version', 'promote-guard'],
]);

export type Rule = keyof typeof RULES;

export const RULE_NAMES = Object.keys(RULES) as Rule[];

/** The rules that are left out. */
export type Without = ReadonlySet<Rule>;

export const NOTHING_LEFT_OUT: Without = new Set();
