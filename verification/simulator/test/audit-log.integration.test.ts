import { randomUUID } from 'node:crypto';
import type { RememberedEvent } from '@evergrant/server/audit/store';
import { Random } from '../src/time/random';
import { type Twin, Twins } from './differential/twins';

/** What the simulated audit log says of events that are lost, against PostgreSQL: each is asked of events of its own. */
let twins: Twins;

beforeEach(async () => {
  twins = await Twins.create(new Random(1));
});

afterEach(() => twins?.drop());

const ids = [randomUUID(), randomUUID()];

async function grant(twin: Twin, leaseId: string, epoch: number): Promise<void> {
  const terms = { intent: 'checkout', seats: 1, holder: 'room', grantedBy: 'the test' } as const;
  const room = { controlRoom: undefined, controlRoomState: 'active', identity: undefined } as const;
  await twin.grant([{ ...terms, ...room, leaseId }], 1, epoch);
}

const OTHER_HASH = 'f'.repeat(64);

/** The same questions to either, by what each has signed itself. */
async function answersOf(twin: Twin): Promise<unknown> {
  await twin.openEpoch(1, undefined);
  await grant(twin, ids[0] ?? '', 1);
  const signed = await twin.head();
  const tooEarly = await twin.lose(signed, 1);
  await twin.openEpoch(2, undefined);
  const lost = (ahead: number): RememberedEvent => ({ ...signed, seq: signed.seq + ahead, hash: OTHER_HASH });
  const first = {
    tooEarly,
    present: await twin.lose(signed, 2),
    another: await twin.lose({ ...signed, hash: OTHER_HASH }, 2),
    lost: await twin.lose(lost(5), 2),
    again: await twin.lose(lost(5), 2),
    less: await twin.lose(lost(3), 2),
    more: await twin.lose(lost(6), 2),
    ofAnotherEra: await twin.lose({ ...lost(5), era: signed.era + 1 }, 2),
    ofALostPool: await twin.lose({ ...lost(5), chain: 'pool/999999' }, 2),
    ofALostPoolAgain: await twin.lose({ ...lost(4), chain: 'pool/999999' }, 2),
    goesOn: await twin.lose({ ...lost(5), epoch: 2 }, 2),
    closed: await twin.lose(lost(9), 1),
  };
  // What stands where the lost event was is of a later epoch.
  await grant(twin, ids[1] ?? '', 2);
  const grown = await twin.head();
  return {
    ...first,
    inItsPlace: await twin.lose({ ...lost(2), epoch: 1 }, 2),
    grownBy: grown.seq - signed.seq,
    events: await twin.events(),
  };
}

it('finds and declares losses as PostgreSQL does', async () => {
  expect(await answersOf(twins.simulated)).toEqual(await answersOf(twins.real));
});
