import { ANYONE, ENTITLEMENT } from '@evergrant/test-support/server/core-facts';
import fc from 'fast-check';
import { AcknowledgedSeqs, answerableFrom, type Protection, waitsForFollower } from '../../src/granting/core/escrow';
import { decideGrants } from '../../src/granting/core/grant';
import { NOTHING_RESERVED } from '../../src/granting/core/pool-ledger';

describe('an answer about a grant', () => {
  const waits = (seq: number, overrides: { borrowed?: boolean; protection?: Protection; escrow?: number } = {}) => {
    const { borrowed = false, protection = 'followed', escrow = 3 } = overrides;
    return waitsForFollower({ seq, borrowed }, { escrow, ackedSeq: 100, protection });
  };

  it('is given at once while no more than the escrow are under way', () => {
    expect([waits(100), waits(103), waits(104)]).toEqual([false, false, true]);
  });

  it('waits for each when there is no escrow', () => {
    expect([waits(100, { escrow: 0 }), waits(101, { escrow: 0 })]).toEqual([false, true]);
  });

  it('about what is borrowed waits until that very grant is there', () => {
    expect([waits(100, { borrowed: true }), waits(101, { borrowed: true })]).toEqual([false, true]);
  });

  it('does not wait in an unprotected epoch, unless it is about what is borrowed', () => {
    expect([
      waits(999, { protection: 'unprotected' }),
      waits(999, { protection: 'unprotected', borrowed: true }),
    ]).toEqual([false, true]);
  });
});

describe('while the follower is cut off', () => {
  const kinds = (protection: Protection) =>
    decideGrants({
      pool: {
        ...{ id: 1, seats: 10, overdraft: 0, seatsTaken: 0, seatsHeldBack: 0, seatsUnresolved: 0, seatsOver: 0 },
        ...{ grantSeq: 50, ackedSeq: 49, escrow: 3, queueSeq: 0 },
      },
      entitlement: { ...ENTITLEMENT, borrowSecondsMax: 60 },
      epoch: 1,
      nowMs: 0,
      mustOutliveMs: undefined,
      known: [],
      reserved: NOTHING_RESERVED,
      places: [],
      protection,
      requests: ['a', 'b', 'c'].map((leaseId) => ({ ...ANYONE, intent: 'checkout', leaseId, holder: 'h', seats: 1 })),
      policy: { authorityLeaseMs: 1, skewMs: 1 },
    }).verdicts.map(({ kind }) => kind);

  it('what would have to wait takes no seat', () => {
    expect(kinds('cut_off')).toEqual(['granted', 'granted', 'not_protected']);
    expect(kinds('followed')).toEqual(['granted', 'granted', 'granted']);
    expect(kinds('unprotected')).toEqual(['granted', 'granted', 'granted']);
  });
});

/**
 * A pool's grants in the order of their commits, made by several servers, each with a separate memory; answers leave
 * whenever a server may give them; the follower gets on in its own time, and is all that is left in the end.
 */
type Event =
  | { readonly kind: 'grant'; readonly server: number; readonly seats: number; readonly borrowed: boolean }
  | { readonly kind: 'flush'; readonly bytes: number }
  | { readonly kind: 'look'; readonly server: number };

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    kind: fc.constant('grant' as const),
    server: fc.integer({ min: 0, max: 2 }),
    seats: fc.integer({ min: 1, max: 4 }),
    borrowed: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('flush' as const), bytes: fc.integer({ min: 0, max: 30 }) }),
  fc.record({ kind: fc.constant('look' as const), server: fc.integer({ min: 0, max: 2 }) }),
);

interface Grant {
  readonly seq: number;
  readonly seats: number;
  readonly borrowed: boolean;
  readonly server: number;
  readonly committedAt: number;
  answered: boolean;
}

class Pool {
  readonly grants: Grant[] = [];
  readonly servers = [0, 1, 2].map(() => new AcknowledgedSeqs());
  readonly escrow: number;
  wal = 0;
  flushed = 0;
  rowAckedSeq = 0;

  constructor(escrow: number) {
    this.escrow = escrow;
  }

  apply(happened: Event): void {
    switch (happened.kind) {
      case 'grant': {
        const { server, seats, borrowed } = happened;
        this.wal += 10;
        const seq = (this.grants.at(-1)?.seq ?? 0) + seats;
        this.rowAckedSeq = Math.max(this.rowAckedSeq, this.servers[server]!.of(1));
        this.grants.push({ seq, seats, borrowed, server, committedAt: this.wal, answered: false });
        // The log may be flushed further than this commit when the server asks.
        this.servers[server]!.note(1, { seq, walBytes: BigInt(this.wal + (seq % 3)) });
        break;
      }
      case 'flush':
        this.flushed = Math.min(this.wal + 5, this.flushed + happened.bytes);
        break;
      case 'look':
        this.servers[happened.server]!.advance(BigInt(this.flushed));
        break;
    }
    for (const grant of this.grants) grant.answered ||= this.mayAnswer(grant);
  }

  mayAnswer({ server, ...grant }: Grant): boolean {
    const ackedSeq = Math.max(this.rowAckedSeq, this.servers[server]!.of(1));
    const facts = { escrow: this.escrow, ackedSeq, protection: 'followed' } as const;
    return !waitsForFollower(grant, facts) || ackedSeq >= answerableFrom(grant, this.escrow);
  }

  /** Answered, and not where it will be looked for. */
  get lost(): Grant[] {
    return this.grants.filter(({ answered, committedAt }) => answered && committedAt > this.flushed);
  }
}

it('whenever the region is lost, no more than the escrow has been answered that the follower lacks', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 6 }), fc.array(event, { maxLength: 60 }), (escrow, events) => {
      const pool = new Pool(escrow);
      for (const happened of events) {
        pool.apply(happened);
        expect(pool.lost.reduce((seats, grant) => seats + grant.seats, 0)).toBeLessThanOrEqual(escrow);
        expect(pool.lost.filter(({ borrowed }) => borrowed)).toEqual([]);
      }
    }),
    { numRuns: 3_000 },
  );
});

it('once the follower has everything, everything is answered', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 6 }), fc.array(event, { maxLength: 60 }), (escrow, events) => {
      const pool = new Pool(escrow);
      for (const happened of events) pool.apply(happened);
      pool.apply({ kind: 'flush', bytes: 1_000 });
      for (const server of [0, 1, 2]) pool.apply({ kind: 'look', server });
      expect(pool.grants.every(({ answered }) => answered)).toBe(true);
      expect(pool.servers.every((server) => server.isComplete)).toBe(true);
    }),
  );
});

it('remembers little of a follower that is away for long', () => {
  const seqs = new AcknowledgedSeqs();
  for (let seq = 1; seq <= 10_000; seq++) seqs.note(1, { seq, walBytes: BigInt(seq) });
  seqs.advance(10n);
  expect(seqs.of(1)).toBe(10);
  seqs.advance(10_000n);
  expect([seqs.of(1), seqs.isComplete]).toEqual([10_000, true]);
});
