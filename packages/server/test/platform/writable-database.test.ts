import { findMigrationTarget } from '../../src/platform/postgres/writable-database';

type Found = { readonly inRecovery: boolean; readonly schema: number } | Error;

const SCHEMA = 12;
const primary = (schema: number): Found => ({ inRecovery: false, schema });
const follower = (schema: number): Found => ({ inRecovery: true, schema });
const unreachable = new Error('connect ETIMEDOUT');

/** Hosts that no caller has closed. */
let open: string[];

function find(databases: Readonly<Record<string, Found>>) {
  open = [];
  return findMigrationTarget({
    hosts: Object.keys(databases),
    schemaOfThisRelease: SCHEMA,
    connect: async (host) => {
      const found = databases[host];
      if (found === undefined || found instanceof Error) throw found;
      open.push(host);
      return {
        query: async () => ({ rows: [{ in_recovery: found.inRecovery, schema: found.schema }] }),
        end: async () => {
          open = open.filter((each) => each !== host);
        },
      };
    },
  });
}

describe('migration target', () => {
  it.each([
    ['its own primary database', { own: primary(11), other: follower(11) }, { kind: 'writable', host: 'own' }],
    ['an empty primary database', { own: primary(0) }, { kind: 'writable', host: 'own' }],
    ['a primary database with this schema', { own: primary(12) }, { kind: 'writable', host: 'own' }],
    [
      'the other region’s primary database',
      { own: follower(11), other: primary(11) },
      { kind: 'writable', host: 'other' },
    ],
    [
      'the other one when its own is archived',
      { own: unreachable, other: primary(11) },
      { kind: 'writable', host: 'other' },
    ],
    ['nothing when the schema is newer', { own: primary(13) }, { kind: 'up_to_date', host: 'own', schema: 13 }],
    [
      'nothing when its follower has the schema and the other region is not reachable yet',
      { own: follower(12), other: unreachable },
      { kind: 'up_to_date', host: 'own', isFollower: true },
    ],
  ])('is %s', async (_what, databases, expected) => {
    const target = await find(databases as Record<string, Found>);
    expect(target).toMatchObject(expected);
    expect(open).toEqual(target.kind === 'writable' ? [target.host] : []);
  });

  it('throws with a reason for each host when an outdated follower is all that answers', async () => {
    await expect(find({ own: follower(11), other: unreachable })).rejects.toThrow(
      'no database can be migrated to schema 12:\n  own: a follower, whose schema is 11\n  other: connect ETIMEDOUT',
    );
    expect(open).toEqual([]);
  });
});
