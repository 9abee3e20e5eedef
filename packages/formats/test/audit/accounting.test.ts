import { drafted } from '@evergrant/test-support/made-log';
import { type DenialsAccount, SeatAccounting } from '../../src/audit/accounting';

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

/** By default the events are two denials on a closed day. */
function found(
  record: readonly DenialsAccount[],
  { firstOpenDay = NEXT_DAY, events = denials(DAY, DAY), readUntil = 99 } = {},
): string[] {
  const accounting = new SeatAccounting([{ chain: CHAIN, seq: readUntil, seatsTaken: 0, seatsTakenByLog: 0 }]);
  for (const event of events) accounting.add(event);
  return accounting.check({ usage: [], denials: record }, firstOpenDay).map(({ text }) => text);
}

describe('SeatAccounting: denials', () => {
  it('accepts counters that match the events', () => {
    expect(found([recorded()])).toEqual([]);
    expect(found([recorded({ denials: 1, seatsAsked: 2 })], { readUntil: 1 })).toEqual([]);
  });

  it('reports the day, the code and both counts of a mismatch', () => {
    expect(found([recorded({ denials: 7 })])).toEqual([
      `pool/1: its counters have 7 checkouts of 4 seats denied with no_seat_available on ${DAY}, its events 2 checkouts of 4 seats`,
    ]);
  });

  it.each<[string, DenialsAccount[]]>([
    ['too few denials', [recorded({ denials: 1 })]],
    ['too many denials', [recorded({ denials: 3 })]],
    ['fewer seats', [recorded({ seatsAsked: 3 })]],
    ['more seats', [recorded({ seatsAsked: 5 })]],
    ['no counter', []],
    ['a counter without events', [recorded(), recorded({ code: 'lease_conflict' })]],
    ['a counter on a day without events', [recorded(), recorded({ day: '2026-02-02' })]],
  ])('reports a mismatch on a closed day: %s', (_what, record) => {
    expect(found(record)).toHaveLength(1);
  });

  it('accepts counters ahead of the events on an open day only', () => {
    const today = { firstOpenDay: DAY };
    expect(found([recorded({ denials: 9, seatsAsked: 18 })], today)).toEqual([]);
    expect(found([recorded({ denials: 1 })], today)).toHaveLength(1);
    expect(found([recorded({ seatsAsked: 3 })], today)).toHaveLength(1);
    expect(found([], today)).toHaveLength(1);
  });

  it('spans all days with events', () => {
    const accounting = new SeatAccounting([{ chain: CHAIN, seq: 99, seatsTaken: 0, seatsTakenByLog: 0 }]);
    for (const event of denials(DAY, NEXT_DAY)) accounting.add(event);
    expect(accounting.days).toEqual({ first: DAY, last: NEXT_DAY });
  });
});
