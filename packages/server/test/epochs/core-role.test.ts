import type { AuthorityRecord, Proofs } from '../../src/epochs/core/authority';
import { newerAuthority, proofVerdict } from '../../src/epochs/core/authority';
import {
  type DatabaseFact,
  type EpochRow,
  epochVerdict,
  mayAcknowledge,
  newestEpoch,
  type RoleFacts,
  roleVerdict,
} from '../../src/epochs/core/role';

const NOW_MS = 100_000;
const LEASE_MS = 30_000;
const FRESHNESS = { nowMs: NOW_MS, authorityLeaseMs: LEASE_MS };

const OURS_1: EpochRow = { epoch: 1, region: 'oregon', closed: false };
const THEIRS_2: EpochRow = { epoch: 2, region: 'virginia', closed: false };
const writable = (epoch?: EpochRow): DatabaseFact => ({ kind: 'writable', epoch });
const readOnly = (epoch?: EpochRow): DatabaseFact => ({ kind: 'read_only', epoch });
const store = (epoch: number, region: string, open = true): AuthorityRecord => ({
  epoch,
  region,
  open,
  unprotected: undefined,
});
const renewed = (epoch: number, agoMs = 0): Proofs => ({ renewal: { epoch, provenFromMs: NOW_MS - agoMs } });
const acknowledged = (agoMs = 0): Proofs => ({ acknowledgement: { provenFromMs: NOW_MS - agoMs } });

function facts(overrides: Partial<RoleFacts>): RoleFacts {
  return {
    region: 'oregon',
    draining: false,
    database: writable(OURS_1),
    authority: store(1, 'oregon'),
    proofs: {},
    ...overrides,
  };
}

function verdict(overrides: Partial<RoleFacts>): string {
  const found = roleVerdict(facts(overrides), FRESHNESS);
  return found.kind === 'not_granting' ? found.reason : `${found.kind} ${found.epoch}`;
}

describe('a server grants', () => {
  it.each<[string, Partial<RoleFacts>]>([
    ['when it renewed in the store', { proofs: renewed(1) }],
    ['until the very end of the authority lease', { proofs: renewed(1, LEASE_MS - 1) }],
    ['when the follower acknowledged, whatever the store', { authority: undefined, proofs: acknowledged() }],
    [
      'when the last renewal is old but the follower acknowledges',
      { proofs: { ...renewed(1, 90_000), ...acknowledged() } },
    ],
    [
      'when the store shows an older epoch than its database: a stale read',
      { database: writable({ ...OURS_1, epoch: 3 }), proofs: renewed(3) },
    ],
  ])('%s', (_why, given) => expect(verdict(given)).toMatch(/^granting/));
});

describe('a server does not grant', () => {
  it.each<[string, Partial<RoleFacts>, string]>([
    ['before it has looked', { database: { kind: 'unknown' }, proofs: renewed(1) }, 'starting'],
    ['while draining', { draining: true, proofs: renewed(1) }, 'draining'],
    [
      'without its database',
      { database: { kind: 'unreachable', epoch: undefined }, proofs: renewed(1) },
      'database_unreachable',
    ],
    [
      'beside a follower, even if authority is its own',
      { database: readOnly(OURS_1), proofs: renewed(1) },
      'database_read_only',
    ],
    [
      'on the schema of an earlier release',
      {
        database: { kind: 'outdated', epoch: OURS_1, schema: { found: undefined, needed: 9 } },
        proofs: renewed(1),
      },
      'schema_outdated',
    ],
    ['without any proof', {}, 'authority_unproven'],
    ['when its renewal is as old as the lease', { proofs: renewed(1, LEASE_MS) }, 'authority_unproven'],
    ['when the acknowledgement is as old as the lease', { proofs: acknowledged(LEASE_MS) }, 'authority_unproven'],
    ['on a renewal of another epoch', { proofs: renewed(2) }, 'authority_unproven'],
    [
      'once it has seen a newer epoch elsewhere, however fresh its proofs',
      { authority: store(2, 'virginia', false), proofs: { ...renewed(1), ...acknowledged() } },
      'authority_elsewhere',
    ],
    [
      'when its database knows a newer epoch elsewhere',
      { database: writable(THEIRS_2), authority: store(1, 'oregon'), proofs: renewed(1) },
      'authority_elsewhere',
    ],
    [
      'between latch and opening of the next epoch of this region',
      { authority: store(2, 'oregon', false), proofs: acknowledged() },
      'epoch_not_open',
    ],
    [
      'in an epoch that was closed',
      { database: writable({ ...OURS_1, closed: true }), proofs: renewed(1) },
      'epoch_closed',
    ],
    ['when nothing is known of any epoch', { database: writable(), authority: undefined }, 'authority_unproven'],
    [
      'in a new epoch on the strength of an acknowledgement alone',
      { authority: store(2, 'oregon'), proofs: acknowledged() },
      'authority_unproven',
    ],
    [
      'in a new epoch on a stale renewal',
      { authority: store(2, 'oregon'), proofs: renewed(2, LEASE_MS) },
      'authority_unproven',
    ],
  ])('%s', (_why, given, reason) => expect(verdict(given)).toBe(reason));
});

describe('a server opens an epoch', () => {
  it('when authority is its own, open and renewed, and the database does not know it', () => {
    expect(verdict({ authority: store(2, 'oregon'), proofs: renewed(2) })).toBe('must_open_epoch 2');
    expect(verdict({ database: writable(), authority: store(1, 'oregon'), proofs: renewed(1) })).toBe(
      'must_open_epoch 1',
    );
  });

  it('never twice', () => {
    expect(
      verdict({ database: writable({ ...OURS_1, epoch: 2 }), authority: store(2, 'oregon'), proofs: renewed(2) }),
    ).toBe('granting 2');
  });
});

describe('what was committed is acknowledged', () => {
  it.each<[string, Partial<RoleFacts>, boolean]>([
    ['while the proof is fresh', { proofs: renewed(1) }, true],
    [
      'even if the database was lost right after the commit',
      { proofs: renewed(1), database: { kind: 'unreachable', epoch: undefined } },
      true,
    ],
    ['not when the proof has expired since', { proofs: renewed(1, LEASE_MS) }, false],
    ['not when a newer epoch has been seen', { authority: store(2, 'virginia', false), proofs: renewed(1) }, false],
    [
      'not when a newer epoch is ours either',
      { authority: store(2, 'oregon'), proofs: { ...renewed(2), ...acknowledged() } },
      false,
    ],
    [
      'not when the database turns out to know another region',
      { database: readOnly(THEIRS_2), proofs: renewed(1) },
      false,
    ],
  ])('%s', (_why, given, expected) => expect(mayAcknowledge(1, facts(given), FRESHNESS)).toBe(expected));
});

describe('a transaction finds', () => {
  const expected = { epoch: 2, region: 'virginia' };
  it.each<[string, EpochRow | undefined, string]>([
    ['its epoch open', THEIRS_2, 'open'],
    ['no epoch', undefined, 'epoch_not_open'],
    ['only an older one', OURS_1, 'epoch_not_open'],
    ['a newer one', { ...OURS_1, epoch: 3 }, 'authority_elsewhere'],
    ['the same number in another region', { ...THEIRS_2, region: 'oregon' }, 'authority_elsewhere'],
    ['it closed', { ...THEIRS_2, closed: true }, 'epoch_closed'],
  ])('%s', (_why, row, found) => {
    const outcome = epochVerdict(row, expected);
    expect(outcome.kind === 'open' ? 'open' : outcome.reason).toBe(found);
  });
});

describe('proofs', () => {
  it('last as long as the longer of the two', () => {
    expect(proofVerdict({ ...renewed(1, 10_000), ...acknowledged(1_000) }, 1, FRESHNESS)).toEqual({
      kind: 'fresh',
      by: 'acknowledgement',
      untilMs: NOW_MS - 1_000 + LEASE_MS,
    });
  });

  it('are of no use to a process that was stopped for longer than the lease', () => {
    const later = { ...FRESHNESS, nowMs: NOW_MS + LEASE_MS };
    expect(proofVerdict({ ...renewed(1), ...acknowledged() }, 1, later)).toEqual({ kind: 'stale' });
  });
});

describe('what is known of authority', () => {
  it('never goes back to an older epoch', () => {
    expect(newerAuthority(store(2, 'virginia'), store(1, 'oregon'))).toEqual(store(2, 'virginia'));
    expect(newerAuthority(store(2, 'virginia', false), store(2, 'virginia'))).toEqual(store(2, 'virginia'));
  });

  it('sends callers to the region of the newest epoch, from either source', () => {
    expect(newestEpoch({ authority: store(1, 'oregon'), database: readOnly(THEIRS_2) })?.region).toBe('virginia');
    expect(newestEpoch({ authority: store(2, 'virginia'), database: writable(OURS_1) })?.region).toBe('virginia');
    expect(
      newestEpoch({ authority: store(1, 'oregon'), database: { kind: 'unreachable', epoch: undefined } })?.region,
    ).toBe('oregon');
    expect(newestEpoch({ authority: undefined, database: { kind: 'unreachable', epoch: OURS_1 } })?.region).toBe(
      'oregon',
    );
    expect(newestEpoch({ authority: undefined, database: { kind: 'unreachable', epoch: undefined } })).toBeUndefined();
  });
});
