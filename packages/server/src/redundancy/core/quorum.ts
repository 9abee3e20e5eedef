/**
 * What a server knows of another: heard of lately, silent for too long, or not yet known. As with votes in raft, what
 * is not known counts for neither side.
 */
export type PeerView = 'present' | 'absent' | 'unknown';

/** `pending`: those not yet known could still make a majority. */
export type QuorumVerdict = 'won' | 'lost' | 'pending';

/** A majority of all, not of those that can be seen: two of three. */
export function quorumVerdict(views: readonly PeerView[]): QuorumVerdict {
  const majority = Math.floor(views.length / 2) + 1;
  const present = views.filter((view) => view === 'present').length;
  const unknown = views.filter((view) => view === 'unknown').length;
  if (present >= majority) return 'won';
  return present + unknown >= majority ? 'pending' : 'lost';
}
