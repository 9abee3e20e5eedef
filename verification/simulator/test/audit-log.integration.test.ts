import { randomUUID } from 'node:crypto';
import type { RememberedEvent } from '@evergrant/server/audit/store';
import { Random } from '../src/time/random';
import { DatabasePair, type DatabaseUnderTest } from './differential/database-pair';

let pair: DatabasePair;

beforeEach(async () => {
  pair = await DatabasePair.create(new Random(1));
});

afterEach(() => pair?.drop());

const ids = [randomUUID(), randomUUID()];

async function grant(database: DatabaseUnderTest, leaseId: string, epoch: number): Promise<void> {
  const terms = { intent: 'checkout', seats: 1, holder: 'room', grantedBy: 'the test' } as const;
  const room = { controlRoom: undefined, controlRoomState: 'active', identity: undefined } as const;
  await database.grant([{ ...terms, ...room, leaseId }], 1, epoch);
}

const OTHER_HASH = 'f'.repeat(64);

/** Results of the same calls, for events that the database signed itself. */
async function answersOf(database: DatabaseUnderTest): Promise<unknown> {
  await database.openEpoch(1, undefined);
  await grant(database, ids[0] ?? '', 1);
  const signed = await database.head();
  const tooEarly = await database.lose(signed, 1);
  await database.openEpoch(2, undefined);
  const lost = (ahead: number): RememberedEvent => ({ ...signed, seq: signed.seq + ahead, hash: OTHER_HASH });
  const first = {
    tooEarly,
    present: await database.lose(signed, 2),
    another: await database.lose({ ...signed, hash: OTHER_HASH }, 2),
    lost: await database.lose(lost(5), 2),
    again: await database.lose(lost(5), 2),
    less: await database.lose(lost(3), 2),
    more: await database.lose(lost(6), 2),
    ofAnotherEra: await database.lose({ ...lost(5), era: signed.era + 1 }, 2),
    ofALostPool: await database.lose({ ...lost(5), chain: 'pool/999999' }, 2),
    ofALostPoolAgain: await database.lose({ ...lost(4), chain: 'pool/999999' }, 2),
    goesOn: await database.lose({ ...lost(5), epoch: 2 }, 2),
    closed: await database.lose(lost(9), 1),
  };
  // An event of a later epoch has taken the place of the lost one.
  await grant(database, ids[1] ?? '', 2);
  const grown = await database.head();
  return {
    ...first,
    inItsPlace: await database.lose({ ...lost(2), epoch: 1 }, 2),
    grownBy: grown.seq - signed.seq,
    events: await database.events(),
  };
}

it('simulated audit log: finds and declares lost events like PostgreSQL', async () => {
  expect(await answersOf(pair.simulated)).toEqual(await answersOf(pair.real));
});
