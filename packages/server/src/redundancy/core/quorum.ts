/**
 * How one server sees another: present (recent heartbeat), absent (no recent heartbeat) or unknown (no heartbeat yet).
 * As with votes in raft, an unknown server counts for neither side.
 */
export type PeerView = 'present' | 'absent' | 'unknown';

/** `pending` means that the unknown servers could still complete a majority. */
export type QuorumVerdict = 'won' | 'lost' | 'pending';

/** A majority of all servers, not of the present ones: two of three. */
export function quorumVerdict(views: readonly PeerView[]): QuorumVerdict {
  const majority = Math.floor(views.length / 2) + 1;
  const present = views.filter((view) => view === 'present').length;
  const unknown = views.filter((view) => view === 'unknown').length;
  if (present >= majority) return 'won';
  return present + unknown >= majority ? 'pending' : 'lost';
}
