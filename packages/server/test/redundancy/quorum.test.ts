import fc from 'fast-check';
import { type PeerView, type QuorumVerdict, quorumVerdict } from '../../src/redundancy/core/quorum';

const VIEWS = ['present', 'absent', 'unknown'] as const;

describe('quorumVerdict: two of three', () => {
  it.each<[PeerView, PeerView, PeerView, QuorumVerdict]>([
    ['present', 'present', 'present', 'won'],
    ['present', 'present', 'absent', 'won'],
    ['present', 'present', 'unknown', 'won'],
    ['present', 'absent', 'absent', 'lost'],
    ['present', 'absent', 'unknown', 'pending'],
    ['present', 'unknown', 'unknown', 'pending'],
    ['absent', 'absent', 'absent', 'lost'],
    ['absent', 'absent', 'unknown', 'lost'],
    ['absent', 'unknown', 'unknown', 'pending'],
    ['unknown', 'unknown', 'unknown', 'pending'],
  ])('%s, %s and %s: %s', (a, b, c, verdict) => {
    for (const views of [
      [a, b, c],
      [b, c, a],
      [c, b, a],
    ] as const)
      expect(quorumVerdict(views)).toBe(verdict);
  });
});

/** The dumb twin: tries every way in which the unknown may turn out. */
function twin(views: readonly PeerView[]): QuorumVerdict {
  const worlds = views.reduce<PeerView[][]>(
    (sofar, view) =>
      sofar.flatMap((world) =>
        (view === 'unknown' ? (['present', 'absent'] as const) : [view]).map((known) => [...world, known]),
      ),
    [[]],
  );
  const majorities = worlds.map((world) => 2 * world.filter((view) => view === 'present').length > world.length);
  if (majorities.every(Boolean)) return 'won';
  return majorities.some(Boolean) ? 'pending' : 'lost';
}

it('quorumVerdict: agrees with a naive model for any number of servers', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...VIEWS), { minLength: 1, maxLength: 7 }), (views) => {
      expect(quorumVerdict(views)).toBe(twin(views));
    }),
  );
});

it('quorumVerdict: new information never reverses a verdict', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...VIEWS), { minLength: 1, maxLength: 5 }), fc.boolean(), (views, there) => {
      const before = quorumVerdict(views);
      const known = views.with(Math.max(0, views.indexOf('unknown')), there ? 'present' : 'absent');
      if (before !== 'pending') expect(quorumVerdict(views.includes('unknown') ? known : views)).toBe(before);
    }),
  );
});
