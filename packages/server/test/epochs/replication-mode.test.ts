import fc from 'fast-check';
import { type ProtectionFacts, type ProtectionStep, protectionStep } from '../../src/epochs/core/replication-mode';

const POLICY = { unprotectedAfterMs: 60_000, authorityLeaseMs: 30_000 };

function step(overrides: Partial<ProtectionFacts>, policy = POLICY): ProtectionStep['kind'] {
  const row = { unprotected: false, changes: 0 };
  return protectionStep(
    { epoch: 2, acknowledgedAgoMs: 0, streamedAgoMs: 0, row, record: undefined, ...overrides },
    policy,
  ).kind;
}

const unprotected = { unprotected: true, changes: 0 };
const record = { epoch: 2, since: 'then' };

describe('grants', () => {
  it('wait for a follower that answers', () => {
    expect(step({})).toBe('none');
  });

  it('go without waiting once it has been gone for long', () => {
    expect(step({ streamedAgoMs: 60_000 })).toBe('none');
    expect(step({ streamedAgoMs: 60_001 })).toBe('grant_unprotected');
    expect(step({ streamedAgoMs: 60_001, row: unprotected, record })).toBe('none');
  });

  it('go without waiting for one that streams and acknowledges nothing, with some patience', () => {
    const impatient = { ...POLICY, unprotectedAfterMs: 1_000 };
    expect(step({ acknowledgedAgoMs: 60_000 }, impatient)).toBe('none');
    expect(step({ acknowledgedAgoMs: 60_001 }, impatient)).toBe('grant_unprotected');
  });

  it('always wait where nothing else is wanted', () => {
    expect(step({ acknowledgedAgoMs: 1e9 }, { ...POLICY, unprotectedAfterMs: 0 })).toBe('none');
  });

  it('wait again when it is back, and the record is cleared', () => {
    expect(step({ acknowledgedAgoMs: 1, row: unprotected, record })).toBe('protect');
    expect(step({ acknowledgedAgoMs: 1, record })).toBe('protect');
  });

  it('are left as they are while that is uncertain', () => {
    expect(step({ acknowledgedAgoMs: 45_000, row: unprotected, record })).toBe('none');
  });

  it('of another epoch are none of its business', () => {
    expect(step({ acknowledgedAgoMs: 1, record: { epoch: 1, since: 'then' } })).toBe('none');
  });
});

/**
 * Two servers that see the follower differently, their steps interleaved in any order. The stores do what the SQL does: a
 * conditional write each. Nothing may ever be granted unprotected that the authority store does not know of.
 */
class Stores {
  record: number | undefined;
  #writes = 0;
  row = { unprotected: false, changes: 0 };

  recordUnprotected(): void {
    this.record = ++this.#writes;
  }

  grantUnprotected(seenChanges: number): void {
    if (!this.row.unprotected && this.row.changes === seenChanges) this.row = { ...this.row, unprotected: true };
  }

  protect(): void {
    this.row = { unprotected: false, changes: this.row.changes + 1 };
  }

  clear(since: number | undefined): void {
    if (since !== undefined && this.record === since) this.record = undefined;
  }
}

/** Each call of the returned function makes one step; the follower is `gone` or `back` in its eyes, run by run. */
function server(stores: Stores, sees: ('gone' | 'back')[]): () => void {
  let run = 0;
  let at = 0;
  let seenChanges = 0;
  let since: number | undefined;
  return () => {
    const gone = sees[run % sees.length] === 'gone';
    const steps = gone
      ? [
          () => {
            seenChanges = stores.row.changes;
          },
          () => stores.recordUnprotected(),
          () => stores.grantUnprotected(seenChanges),
        ]
      : [
          () => {
            since = stores.record;
          },
          () => stores.protect(),
          () => stores.clear(since),
        ];
    steps[at]?.();
    at += 1;
    if (at === steps.length) {
      at = 0;
      run += 1;
    }
  };
}

it('are never unprotected without a record, however the servers come between each other', () => {
  const sees = fc.array(fc.constantFrom('gone' as const, 'back' as const), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(sees, sees, fc.array(fc.boolean(), { maxLength: 40 }), (first, second, turns) => {
      const stores = new Stores();
      const steps = [server(stores, first), server(stores, second)];
      for (const turn of turns) {
        steps[turn ? 1 : 0]!();
        expect(stores.row.unprotected && stores.record === undefined).toBe(false);
      }
    }),
    { numRuns: 5_000 },
  );
});
