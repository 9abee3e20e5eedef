import type { Phase } from './operations';

/** Names for what a phase can find. Each pair (phase, observed) has exactly one row below. */
export interface Observed {
  readonly latch: 'held_by_origin' | 'decided_too_long_ago' | 'latched';
  readonly fence: 'fenced' | 'not_fenced' | 'out_of_time' | 'unreachable';
  readonly drain:
    | 'origin_open'
    | 'target_behind_closed_origin'
    | 'carried_over'
    | 'origin_lost_still_receiving'
    | 'origin_lost_still_replaying'
    | 'all_received_replayed'
    | 'out_of_time'
    | 'origin_lost_in_switchover'
    | 'replay_paused'
    | 'target_unreachable'
    | 'target_already_primary'
    | 'target_primary_before_switchover';
  readonly promote: 'follower' | 'replay_paused' | 'target_unreachable' | 'primary';
  readonly verify: 'writable' | 'not_writable';
  readonly open: 'latched' | 'opening_set';
  readonly switch:
    | 'target_fenced'
    | 'target_router_unreachable'
    | 'edge_elsewhere'
    | 'edge_unreachable'
    | 'waiting_for_opening'
    | 'not_seen_outside'
    | 'seen_outside';
  readonly complete: 'completed';
  readonly confirm_fence: 'fenced' | 'not_fenced' | 'unreachable';
  readonly archive_database:
    | 'running'
    | 'failed'
    | 'busy'
    | 'unreachable'
    | 'kept'
    | 'following'
    | 'follower_silent'
    | 'follower_lost';
  readonly build_follower: 'place_taken' | 'place_free' | 'failed' | 'building' | 'unreachable' | 'following';
  readonly catch_up: 'caught_up' | 'behind' | 'unreachable';
  readonly preflight: 'ready' | 'not_ready';
}

export type Act =
  | 'none'
  | 'latch'
  | 'fence_origin'
  | 'fence_target'
  | 'close_epoch'
  | 'promote'
  | 'open'
  | 'serve_target'
  | 'point_edge'
  | 'archive_database'
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
    'held_by_origin',
    'latch',
    'stay',
    'The new epoch is taken before anything else: the origin may not grant from here on.',
  ),
  row(
    'latch',
    'decided_too_long_ago',
    'none',
    'abandon',
    'What was seen then says nothing about now: the origin may be well again, so detection begins anew.',
  ),
  row('latch', 'latched', 'none', 'next', 'The authority store says the epoch is ours.'),

  row('fence', 'not_fenced', 'fence_origin', 'stay', 'Callers that still find the old region are told where to go.'),
  row('fence', 'fenced', 'none', 'next', 'The router of the old region confirms its fence.'),
  row(
    'fence',
    'out_of_time',
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
    'origin_open',
    'close_epoch',
    'stay',
    'A living origin stops granting in one transaction; what it has granted can then be carried over whole.',
  ),
  row(
    'drain',
    'target_behind_closed_origin',
    'none',
    'stay',
    'The origin grants no more and its log still flows: nothing needs to be lost.',
  ),
  row('drain', 'carried_over', 'none', 'next', 'The follower has replayed all that the origin ever granted.'),
  row(
    'drain',
    'origin_lost_still_receiving',
    'none',
    'stay',
    'The origin cannot be asked, but its log still arrives: each byte is a lease kept.',
  ),
  row(
    'drain',
    'origin_lost_still_replaying',
    'none',
    'stay',
    'What has arrived is replayed first, so that the evidence is exact.',
  ),
  row('drain', 'all_received_replayed', 'none', 'next', 'All that ever arrived is there; more will not come.'),
  row(
    'drain',
    'out_of_time',
    'none',
    'next',
    'Customers wait: promotion itself replays what is left on the disk, and the report says what was not seen to arrive.',
  ),
  row(
    'drain',
    'origin_lost_in_switchover',
    'none',
    'stay',
    'A hand-over promises that nothing is lost: it waits for the origin, or is abandoned by a human.',
  ),
  row('drain', 'replay_paused', 'none', 'stay', 'A paused replay would hang the promotion: somebody must resume it.'),
  row('drain', 'target_unreachable', 'none', 'stay', 'Without the follower there is nothing to go to.'),
  row(
    'drain',
    'target_already_primary',
    'none',
    'next',
    'Somebody has promoted it already: there is nothing left to receive.',
  ),
  row(
    'drain',
    'target_primary_before_switchover',
    'none',
    'stay',
    'A target that stopped following before the origin stopped granting lacks grants: it must not take over.',
  ),

  row('promote', 'follower', 'promote', 'stay', 'The follower becomes the primary database.'),
  row('promote', 'replay_paused', 'none', 'stay', 'A paused replay would hang the promotion: somebody must resume it.'),
  row(
    'promote',
    'target_unreachable',
    'none',
    'stay',
    'It may be restarting as a primary database: its answer is awaited.',
  ),
  row('promote', 'primary', 'none', 'next', 'SQL says that it is no longer in recovery.'),

  row('verify', 'not_writable', 'none', 'stay', '"Available" is no evidence; a refused write is.'),
  row('verify', 'writable', 'none', 'next', 'A write was accepted.'),

  row('open', 'latched', 'open', 'stay', 'The epoch opens when every proof of the old one has lapsed.'),
  row(
    'open',
    'opening_set',
    'none',
    'next',
    'From that moment the servers beside the new primary database grant by themselves.',
  ),

  row('switch', 'target_fenced', 'serve_target', 'stay', 'The new region lets callers in before they are sent there.'),
  row('switch', 'target_router_unreachable', 'none', 'stay', 'Nobody is sent to a region that nobody can enter.'),
  row('switch', 'edge_elsewhere', 'point_edge', 'stay', 'The public address follows the authority.'),
  row('switch', 'edge_unreachable', 'none', 'stay', 'The public address must be known to lead to the new region.'),
  row('switch', 'waiting_for_opening', 'none', 'stay', 'The old epoch has not lapsed yet.'),
  row('switch', 'not_seen_outside', 'none', 'stay', 'It is done only when a customer can see it.'),
  row(
    'switch',
    'seen_outside',
    'none',
    'next',
    'A call at the public address was answered by a server that grants in the new epoch.',
  ),

  row('complete', 'completed', 'none', 'next', 'The report is written.'),

  row(
    'confirm_fence',
    'not_fenced',
    'fence_target',
    'stay',
    'A failback begins with a region that certainly serves nobody.',
  ),
  row('confirm_fence', 'unreachable', 'none', 'stay', 'An unconfirmed fence is no fence.'),
  row('confirm_fence', 'fenced', 'none', 'next', 'The router confirms its fence.'),

  row(
    'archive_database',
    'running',
    'archive_database',
    'stay',
    'What it holds may be needed to reconcile: it is put aside, never thrown away.',
  ),
  row('archive_database', 'failed', 'archive_database', 'stay', 'The order may be given again.'),
  row('archive_database', 'busy', 'none', 'stay', 'The service is at work.'),
  row('archive_database', 'unreachable', 'none', 'stay', 'The service must say that it is done.'),
  row('archive_database', 'kept', 'none', 'next', 'The place is free.'),
  row(
    'archive_database',
    'following',
    'none',
    'next',
    'A follower of the active region stands there already: it holds nothing of its own.',
  ),
  row(
    'archive_database',
    'follower_silent',
    'none',
    'stay',
    'It is behind and replays nothing: it may be catching its breath, and a copy of everything takes long.',
  ),
  row(
    'archive_database',
    'follower_lost',
    'archive_database',
    'stay',
    'It has replayed nothing for long although its primary answers: what it lacks will not come any more.',
  ),

  row('build_follower', 'place_free', 'follow', 'stay', 'A new follower is made of the active region.'),
  row('build_follower', 'failed', 'follow', 'stay', 'The order may be given again.'),
  row('build_follower', 'building', 'none', 'stay', 'The service is at work.'),
  row('build_follower', 'unreachable', 'none', 'stay', 'The service must say that it is done.'),
  row(
    'build_follower',
    'place_taken',
    'none',
    'stay',
    'Databases of its own stand there: they are kept aside first, by a stage of its own.',
  ),
  row('build_follower', 'following', 'none', 'next', 'The follower stands.'),

  row('catch_up', 'behind', 'none', 'stay', 'It is still catching up.'),
  row('catch_up', 'unreachable', 'none', 'stay', 'What cannot be asked cannot be said to keep up.'),
  row('catch_up', 'caught_up', 'none', 'next', 'It streams, and is no further behind than the policy allows.'),

  row('preflight', 'not_ready', 'none', 'stay', 'The region is asked until it could take over.'),
  row(
    'preflight',
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
