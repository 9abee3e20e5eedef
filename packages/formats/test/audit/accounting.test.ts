import { drafted } from '@evergrant/test-support/made-log';
import { type DenialsAccount, SeatAccounting } from '../../src/audit/accounting';

/** What the database keeps beside the events, held against them. */
const CHAIN = 'pool/1';
const DAY = '2026-03-02';
const NEXT_DAY = '2026-03-03';

const denials = (...days: string[]) =>
  drafted({ chain: CHAIN, epochs: days.map(() => 1) }).map((event, index) => ({
    ...event,
    kind: 'denied',
    at: `${days[index]}T10:00:00.000000Z`,
    body: '{"code" : "no_seat_available", "seats" : 2}',
  }));

const recorded = (over: Partial<DenialsAccount> = {}): DenialsAccount => ({
  chain: CHAIN,
  day: DAY,
  code: 'no_seat_available',
  denials: 2,
  seatsAsked: 4,
  ...over,
});

/** By default of two denials on a day that is over. */
function found(
  record: readonly DenialsAccount[],
  { firstOpenDay = NEXT_DAY, events = denials(DAY, DAY), readUntil = 99 } = {},
): string[] {
  const books = new SeatAccounting([{ chain: CHAIN, seq: readUntil, seatsTaken: 0, seatsTakenByLog: 0 }]);
  for (const event of events) books.add(event);
  return books.check({ usage: [], denials: record }, firstOpenDay).map(({ text }) => text);
}

describe('the record of denials', () => {
  it('agrees with the events when it has each of them', () => {
    expect(found([recorded()])).toEqual([]);
    expect(found([recorded({ denials: 1, seatsAsked: 2 })], { readUntil: 1 })).toEqual([]);
  });

  it('names the day, the code and both counts when it does not', () => {
    expect(found([recorded({ denials: 7 })])).toEqual([
      `pool/1: its record has 7 checkouts of 4 seats denied with no_seat_available on ${DAY}, its events 2 checkouts of 4 seats`,
    ]);
  });

  it.each<[string, DenialsAccount[]]>([
    ['too few', [recorded({ denials: 1 })]],
    ['too many', [recorded({ denials: 3 })]],
    ['fewer seats', [recorded({ seatsAsked: 3 })]],
    ['more seats', [recorded({ seatsAsked: 5 })]],
    ['none', []],
    ['such as never were', [recorded(), recorded({ code: 'lease_conflict' })]],
    ['such as never were, on a day without any', [recorded(), recorded({ day: '2026-02-02' })]],
  ])('%s on a day that is over are found', (_what, record) => {
    expect(found(record)).toHaveLength(1);
  });

  it('may have more on a day that goes on, and no fewer', () => {
    const today = { firstOpenDay: DAY };
    expect(found([recorded({ denials: 9, seatsAsked: 18 })], today)).toEqual([]);
    expect(found([recorded({ denials: 1 })], today)).toHaveLength(1);
    expect(found([recorded({ seatsAsked: 3 })], today)).toHaveLength(1);
    expect(found([], today)).toHaveLength(1);
  });

  it('is asked for on every day of an event', () => {
    const books = new SeatAccounting([{ chain: CHAIN, seq: 99, seatsTaken: 0, seatsTakenByLog: 0 }]);
    for (const event of denials(DAY, NEXT_DAY)) books.add(event);
    expect(books.days).toEqual({ first: DAY, last: NEXT_DAY });
  });
});
