import type { Phase } from './operations';

/** Names for what a phase can find. Each pair (phase, observed) has exactly one row below. */
export interface Observed {
  readonly latch: 'held-by-origin' | 'decided-too-long-ago' | 'latched';
  readonly fence: 'fenced' | 'not-fenced' | 'out-of-time' | 'unreachable';
  readonly drain:
    | 'origin-open'
    | 'target-behind-closed-origin'
    | 'carried-over'
    | 'origin-lost-still-receiving'
    | 'origin-lost-still-replaying'
    | 'all-received-replayed'
    | 'out-of-time'
    | 'origin-lost-in-hand-over'
    | 'replay-paused'
    | 'target-unreachable'
    | 'target-already-primary'
    | 'target-primary-before-hand-over';
  readonly promote: 'follower' | 'replay-paused' | 'target-unreachable' | 'primary';
  readonly verify: 'writable' | 'not-writable';
  readonly open: 'latched' | 'opening-set';
  readonly switch:
    | 'target-fenced'
    | 'target-router-unreachable'
    | 'edge-elsewhere'
    | 'edge-unreachable'
    | 'waiting-for-opening'
    | 'not-seen-outside'
    | 'seen-outside';
  readonly settle: 'settled';
  readonly 'hand-back-fence': 'fenced' | 'not-fenced' | 'unreachable';
  readonly 'keep-database':
    | 'running'
    | 'failed'
    | 'busy'
    | 'unreachable'
    | 'kept'
    | 'following'
    | 'follower-silent'
    | 'follower-lost';
  readonly 'build-follower': 'place-taken' | 'place-free' | 'failed' | 'building' | 'unreachable' | 'following';
  readonly 'keep-up': 'keeps-up' | 'behind' | 'unreachable';
  readonly check: 'ready' | 'not-ready';
}

export type Act =
  | 'none'
  | 'latch'
  | 'fence-origin'
  | 'fence-target'
  | 'close-epoch'
  | 'promote'
  | 'open'
  | 'serve-target'
  | 'point-edge'
  | 'keep-database'
  | 'follow';

/** `stay`: look again on the next cycle. `next`: the operation's next phase. `abandon`: the operation ends here. */
type Next = 'stay' | 'next' | 'abandon';

export interface TransitionRow<P extends Phase = Phase> {
  readonly phase: P;
  readonly observed: Observed[P];
  readonly act: Act;
  readonly next: Next;
  readonly why: string;
}

function row<P extends Phase>(phase: P, observed: Observed[P], act: Act, next: Next, why: string): TransitionRow {
  return { phase, observed, act, next, why };
}

/**
 * How every operation gets from phase to phase. A row that acts stays: its effect is found by looking again, so an
 * act that was done and not remembered is not done wrongly twice. No row leads back.
 */
export const TRANSITIONS: readonly TransitionRow[] = [
  row(
    'latch',
    'held-by-origin',
    'latch',
    'stay',
    'The new epoch is taken before anything else: the origin may not grant from here on.',
  ),
  row(
    'latch',
    'decided-too-long-ago',
    'none',
    'abandon',
    'What was seen then says nothing about now: the origin may be well again, so detection begins anew.',
  ),
  row('latch', 'latched', 'none', 'next', 'The authority store says the epoch is ours.'),

  row('fence', 'not-fenced', 'fence-origin', 'stay', 'Callers that still find the old region are told where to go.'),
  row('fence', 'fenced', 'none', 'next', 'The router of the old region confirms its fence.'),
  row(
    'fence',
    'out-of-time',
    'none',
    'next',
    'A router that refuses its fence must not hold up the living region either: the fence is owed, and paid later.',
  ),
  row(
    'fence',
    'unreachable',
    'none',
    'next',
    'A dead region must not hold up the living one: the fence is owed, and paid later.',
  ),

  row(
    'drain',
    'origin-open',
    'close-epoch',
    'stay',
    'A living origin stops granting in one transaction; what it has granted can then be carried over whole.',
  ),
  row(
    'drain',
    'target-behind-closed-origin',
    'none',
    'stay',
    'The origin grants no more and its log still flows: nothing needs to be lost.',
  ),
  row('drain', 'carried-over', 'none', 'next', 'The follower has replayed all that the origin ever granted.'),
  row(
    'drain',
    'origin-lost-still-receiving',
    'none',
    'stay',
    'The origin cannot be asked, but its log still arrives: each byte is a lease kept.',
  ),
  row(
    'drain',
    'origin-lost-still-replaying',
    'none',
    'stay',
    'What has arrived is replayed first, so that the evidence is exact.',
  ),
  row('drain', 'all-received-replayed', 'none', 'next', 'All that ever arrived is there; more will not come.'),
  row(
    'drain',
    'out-of-time',
    'none',
    'next',
    'Customers wait: promotion itself replays what is left on the disk, and the report says what was not seen to arrive.',
  ),
  row(
    'drain',
    'origin-lost-in-hand-over',
    'none',
    'stay',
    'A hand-over promises that nothing is lost: it waits for the origin, or is abandoned by a human.',
  ),
  row('drain', 'replay-paused', 'none', 'stay', 'A paused replay would hang the promotion: somebody must resume it.'),
  row('drain', 'target-unreachable', 'none', 'stay', 'Without the follower there is nothing to go to.'),
  row(
    'drain',
    'target-already-primary',
    'none',
    'next',
    'Somebody has promoted it already: there is nothing left to receive.',
  ),
  row(
    'drain',
    'target-primary-before-hand-over',
    'none',
    'stay',
    'A target that stopped following before the origin stopped granting lacks grants: it must not take over.',
  ),

  row('promote', 'follower', 'promote', 'stay', 'The follower becomes the primary database.'),
  row('promote', 'replay-paused', 'none', 'stay', 'A paused replay would hang the promotion: somebody must resume it.'),
  row(
    'promote',
    'target-unreachable',
    'none',
    'stay',
    'It may be restarting as a primary database: its answer is awaited.',
  ),
  row('promote', 'primary', 'none', 'next', 'SQL says that it is no longer in recovery.'),

  row('verify', 'not-writable', 'none', 'stay', '"Available" is no evidence; a refused write is.'),
  row('verify', 'writable', 'none', 'next', 'A write was accepted.'),

  row('open', 'latched', 'open', 'stay', 'The epoch opens when every proof of the old one has lapsed.'),
  row(
    'open',
    'opening-set',
    'none',
    'next',
    'From that moment the servers beside the new primary database grant by themselves.',
  ),

  row('switch', 'target-fenced', 'serve-target', 'stay', 'The new region lets callers in before they are sent there.'),
  row('switch', 'target-router-unreachable', 'none', 'stay', 'Nobody is sent to a region that nobody can enter.'),
  row('switch', 'edge-elsewhere', 'point-edge', 'stay', 'The public address follows the authority.'),
  row('switch', 'edge-unreachable', 'none', 'stay', 'The public address must be known to lead to the new region.'),
  row('switch', 'waiting-for-opening', 'none', 'stay', 'The old epoch has not lapsed yet.'),
  row('switch', 'not-seen-outside', 'none', 'stay', 'It is done only when a customer can see it.'),
  row(
    'switch',
    'seen-outside',
    'none',
    'next',
    'A call at the public address was answered by a server that grants in the new epoch.',
  ),

  row('settle', 'settled', 'none', 'next', 'The report is written.'),

  row(
    'hand-back-fence',
    'not-fenced',
    'fence-target',
    'stay',
    'A failback begins with a region that certainly serves nobody.',
  ),
  row('hand-back-fence', 'unreachable', 'none', 'stay', 'An unconfirmed fence is no fence.'),
  row('hand-back-fence', 'fenced', 'none', 'next', 'The router confirms its fence.'),

  row(
    'keep-database',
    'running',
    'keep-database',
    'stay',
    'What it holds may be needed to reconcile: it is put aside, never thrown away.',
  ),
  row('keep-database', 'failed', 'keep-database', 'stay', 'The order may be given again.'),
  row('keep-database', 'busy', 'none', 'stay', 'The service is at work.'),
  row('keep-database', 'unreachable', 'none', 'stay', 'The service must say that it is done.'),
  row('keep-database', 'kept', 'none', 'next', 'The place is free.'),
  row(
    'keep-database',
    'following',
    'none',
    'next',
    'A follower of the active region stands there already: it holds nothing of its own.',
  ),
  row(
    'keep-database',
    'follower-silent',
    'none',
    'stay',
    'It is behind and replays nothing: it may be catching its breath, and a copy of everything takes long.',
  ),
  row(
    'keep-database',
    'follower-lost',
    'keep-database',
    'stay',
    'It has replayed nothing for long although its primary answers: what it lacks will not come any more.',
  ),

  row('build-follower', 'place-free', 'follow', 'stay', 'A new follower is made of the active region.'),
  row('build-follower', 'failed', 'follow', 'stay', 'The order may be given again.'),
  row('build-follower', 'building', 'none', 'stay', 'The service is at work.'),
  row('build-follower', 'unreachable', 'none', 'stay', 'The service must say that it is done.'),
  row(
    'build-follower',
    'place-taken',
    'none',
    'stay',
    'Databases of its own stand there: they are kept aside first, by a stage of its own.',
  ),
  row('build-follower', 'following', 'none', 'next', 'The follower stands.'),

  row('keep-up', 'behind', 'none', 'stay', 'It is still catching up.'),
  row('keep-up', 'unreachable', 'none', 'stay', 'What cannot be asked cannot be said to keep up.'),
  row('keep-up', 'keeps-up', 'none', 'next', 'It streams, and is no further behind than the policy allows.'),

  row('check', 'not-ready', 'none', 'stay', 'The region is asked until it could take over.'),
  row(
    'check',
    'ready',
    'none',
    'next',
    'Its follower keeps up, its servers answer, and the public address leads to the active region.',
  ),
];

/** The row of what a phase has found. Throws when there is none: a broken invariant acts on nothing. */
export function transitionFor(phase: Phase, observed: string): TransitionRow {
  const found = TRANSITIONS.find((candidate) => candidate.phase === phase && candidate.observed === observed);
  if (found === undefined) throw new Error(`no transition for ${phase} when it finds ${observed}`);
  return found;
}
