import {
  type Exchange,
  expectedLeases,
  holdingsOf,
  oversoldPools,
  overtakenPlaces,
  peaks,
  regionsByEpoch,
  staleAcknowledgements,
  unflaggedOverdrafts,
} from '../src/history';

const exchange = (over: Partial<Exchange>): Exchange => ({
  sentAtMs: 0,
  receivedAtMs: 1,
  method: 'PUT',
  leaseId: 'a',
  status: 201,
  product: 'p',
  feature: 'f',
  seats: 1,
  epoch: 1,
  servedBy: 'oregon/app-1',
  expiresAtMs: 1000,
  ...over,
});

const seats = new Map([['p/f', 1]]);

describe('history', () => {
  test('two leases of a one-seat pool that overlap were sold twice', () => {
    const holdings = holdingsOf([exchange({}), exchange({ leaseId: 'b', receivedAtMs: 500 })]);
    expect(oversoldPools(holdings.values(), seats)).toEqual([{ pool: 'p/f', seats: 1, held: 2, atMs: 500 }]);
  });

  test('a release frees the seat when it is sent, even if no response came', () => {
    const released = exchange({ method: 'DELETE', sentAtMs: 400, receivedAtMs: 900, status: undefined });
    const holdings = holdingsOf([exchange({}), released, exchange({ leaseId: 'b', receivedAtMs: 500 })]);
    expect(oversoldPools(holdings.values(), seats)).toEqual([]);
  });

  test('a lease is not counted beyond its last known expiry, and a heartbeat extends it', () => {
    const later = exchange({ leaseId: 'b', receivedAtMs: 1500, expiresAtMs: 3000 });
    expect(oversoldPools(holdingsOf([exchange({}), later]).values(), seats)).toEqual([]);
    const beat = exchange({ method: 'POST', status: 200, receivedAtMs: 300, expiresAtMs: 1600 });
    expect(oversoldPools(holdingsOf([exchange({}), beat, later]).values(), seats)).toHaveLength(1);
  });

  test('a repeated acknowledgement of the same lease is one holding', () => {
    const holdings = holdingsOf([exchange({}), exchange({ receivedAtMs: 20 })]);
    expect(peaks(holdings.values()).get('p/f')).toEqual({ held: 1, atMs: 1 });
  });

  describe('a lease whose end a server reported', () => {
    const told = (over: Partial<Exchange>) => exchange({ method: 'POST', status: 410, ...over });
    const unanswered = (over: Partial<Exchange>) => told({ status: undefined, ...over });
    const ended = (...exchanges: Exchange[]) => {
      const { untilMs, ended: how } = holdingsOf(exchanges).get('a') ?? {};
      return { untilMs, ended: how };
    };

    test('before its time was over: that ends it, and it is a loss', () => {
      expect(ended(exchange({}), told({ receivedAtMs: 300 }))).toEqual({ untilMs: 300, ended: 'reported-ended' });
      expect(ended(exchange({}), told({ receivedAtMs: 999 }))).toEqual({ untilMs: 999, ended: 'reported-ended' });
    });

    test('after its time was over, by a holder that had been silent: it lapsed', () => {
      expect(ended(exchange({}), told({ receivedAtMs: 1001 }))).toEqual({ untilMs: 1000, ended: 'lapsed' });
      const late = told({ sentAtMs: 1000, receivedAtMs: 1001 });
      expect(ended(exchange({}), late)).toEqual({ untilMs: 1000, ended: 'lapsed' });
    });

    test.each([
      ['nobody answered', undefined],
      ['it was refused for not granting', 503],
      ['its credentials were not known any more', 401],
    ])('after its time was over, by a holder that had asked in time, when %s: a loss', (_why, status) => {
      const asked = unanswered({ status, sentAtMs: 700, receivedAtMs: 900 });
      const gone = told({ sentAtMs: 1300, receivedAtMs: 1301 });
      expect(ended(exchange({}), asked, gone)).toEqual({ untilMs: 1000, ended: 'reported-ended' });
      const hangs = { ...asked, receivedAtMs: 5_700 };
      expect(ended(exchange({}), hangs, gone)).toEqual({ untilMs: 1000, ended: 'reported-ended' });
    });

    test('by an answer that was long on its way, to a question sent in time: a loss', () => {
      const gone = told({ sentAtMs: 700, receivedAtMs: 1301 });
      expect(ended(exchange({}), gone)).toEqual({ untilMs: 1000, ended: 'reported-ended' });
    });

    test('an unanswered request before the last renewal does not count', () => {
      const asked = unanswered({ sentAtMs: 100, receivedAtMs: 200 });
      const renewed = told({ status: 200, sentAtMs: 250, receivedAtMs: 300, expiresAtMs: 1300 });
      const gone = told({ sentAtMs: 1400, receivedAtMs: 1401 });
      expect(ended(exchange({}), asked, renewed, gone)).toEqual({ untilMs: 1300, ended: 'lapsed' });
    });

    test('a client asks for one of its leases in the name of all', () => {
      const [mine, others] = [{ client: 'kyoto' }, { client: 'osaka' }];
      const asked = unanswered({ leaseId: 'b', sentAtMs: 700, receivedAtMs: 900 });
      const gone = told({ sentAtMs: 1300, receivedAtMs: 1301, ...mine });
      expect(ended(exchange(mine), { ...asked, ...mine }, gone).ended).toBe('reported-ended');
      expect(ended(exchange(mine), { ...asked, ...others }, gone).ended).toBe('lapsed');
    });

    test('after two reports, the first one decides', () => {
      const twice = [told({ receivedAtMs: 300 }), told({ sentAtMs: 1200, receivedAtMs: 1201 })];
      expect(ended(exchange({}), ...twice)).toEqual({ untilMs: 300, ended: 'reported-ended' });
    });
  });

  describe('expected leases', () => {
    const checkouts = (over: Partial<Exchange>) => exchange({ method: 'POST', status: undefined, ...over });
    const owed = (...exchanges: Exchange[]) => {
      const { running, unreachable } = expectedLeases(2000, exchanges);
      return { running: running.map(({ leaseId }) => leaseId), unreachable: unreachable.map(({ leaseId }) => leaseId) };
    };

    test('a lease that has not expired, in the order of expiry', () => {
      const later = exchange({ leaseId: 'b', expiresAtMs: 4000 });
      expect(owed(later, exchange({ expiresAtMs: 3000 }))).toEqual({ running: ['a', 'b'], unreachable: [] });
    });

    test('a lease that expired after an unanswered renewal in time', () => {
      expect(owed(exchange({}), checkouts({ sentAtMs: 999, receivedAtMs: 5999 }))).toEqual({
        running: [],
        unreachable: ['a'],
      });
      const refused = checkouts({ sentAtMs: 700, receivedAtMs: 701, status: 503 });
      expect(owed(exchange({}), refused)).toEqual({ running: [], unreachable: ['a'] });
    });

    test('one for which its client asked in the name of another of its leases', () => {
      const other = checkouts({ leaseId: 'b', sentAtMs: 700, client: 'kyoto' });
      expect(owed(exchange({ client: 'kyoto' }), other).unreachable).toEqual(['a']);
      expect(owed(exchange({ client: 'osaka' }), other).unreachable).toEqual([]);
    });

    test('no lease that expired without a request, or with a late one', () => {
      expect(owed(exchange({})).unreachable).toEqual([]);
      expect(owed(exchange({}), checkouts({ sentAtMs: 1000 })).unreachable).toEqual([]);
    });

    test('no lease that was renewed after an unanswered request, without a later request', () => {
      const renewed = checkouts({ status: 200, sentAtMs: 800, receivedAtMs: 801, expiresAtMs: 1800 });
      expect(owed(exchange({}), checkouts({ sentAtMs: 700 }), renewed).unreachable).toEqual([]);
    });

    test('no lease that was released or reported as ended, because another check covers it', () => {
      const vain = checkouts({ sentAtMs: 700 });
      const release = checkouts({ method: 'DELETE', sentAtMs: 900 });
      const gone = checkouts({ status: 410, sentAtMs: 1100, receivedAtMs: 1101 });
      for (const end of [release, gone])
        expect(owed(exchange({}), vain, end)).toEqual({ running: [], unreachable: [] });
    });
  });

  test('an acknowledgement of an old epoch to a request sent after the new epoch had granted is stale', () => {
    const fresh = exchange({ leaseId: 'b', epoch: 2, servedBy: 'virginia/app-1', receivedAtMs: 100 });
    const stale = exchange({ leaseId: 'c', epoch: 1, sentAtMs: 101, receivedAtMs: 110 });
    const overlapping = exchange({ leaseId: 'd', epoch: 1, sentAtMs: 99, receivedAtMs: 120 });
    expect(staleAcknowledgements([exchange({}), fresh, stale, overlapping])).toEqual([stale]);
  });

  test('the regions that granted in an epoch are distinguished', () => {
    const other = exchange({ leaseId: 'b', servedBy: 'virginia/app-2' });
    expect(regionsByEpoch([exchange({}), other]).get(1)).toEqual(new Set(['oregon', 'virginia']));
  });

  describe('queue order', () => {
    const place = (over: Partial<Exchange>) => exchange({ status: 202, position: 1, expiresAtMs: undefined, ...over });
    const early = place({ leaseId: 'early', sentAtMs: 0, receivedAtMs: 10 });
    const late = place({ leaseId: 'late', sentAtMs: 11, receivedAtMs: 20 });

    test('one who had to wait on while a later one was served was overtaken', () => {
      const served = exchange({ leaseId: 'late', sentAtMs: 30, receivedAtMs: 40 });
      const waitsOn = place({ leaseId: 'early', sentAtMs: 41, receivedAtMs: 50 });
      expect(overtakenPlaces([early, late, served, waitsOn])).toEqual([
        { pool: 'p/f', waiting: 'early', servedFirst: 'late' },
      ]);
    });

    test('nothing is certain while requests overlap', () => {
      const served = exchange({ leaseId: 'late', sentAtMs: 30, receivedAtMs: 40 });
      const overlapping = place({ leaseId: 'early', sentAtMs: 39, receivedAtMs: 50 });
      expect(overtakenPlaces([early, late, served, overlapping])).toEqual([]);
      const asTheFirst = place({ leaseId: 'late', sentAtMs: 9, receivedAtMs: 20 });
      const waitsOn = place({ leaseId: 'early', sentAtMs: 41, receivedAtMs: 50 });
      expect(overtakenPlaces([early, asTheFirst, served, waitsOn])).toEqual([]);
    });

    test('one without a place that is served at once overtakes too', () => {
      const passerBy = exchange({ leaseId: 'passer-by', sentAtMs: 30, receivedAtMs: 40 });
      const waitsOn = place({ leaseId: 'early', sentAtMs: 41, receivedAtMs: 50 });
      expect(overtakenPlaces([early, passerBy, waitsOn])).toHaveLength(1);
    });

    test('in order is in order', () => {
      const first = exchange({ leaseId: 'early', sentAtMs: 30, receivedAtMs: 40 });
      const second = exchange({ leaseId: 'late', sentAtMs: 41, receivedAtMs: 50 });
      expect(overtakenPlaces([early, late, first, second])).toEqual([]);
    });
  });

  describe('overdraft', () => {
    const untold = (...exchanges: Exchange[]) =>
      unflaggedOverdrafts(holdingsOf(exchanges).values(), seats).map(({ leaseId }) => leaseId);

    test('a seat beyond those sold has to be reported', () => {
      const beyond = exchange({ leaseId: 'b', sentAtMs: 10, receivedAtMs: 20 });
      expect(untold(exchange({}), beyond)).toEqual(['b']);
      expect(untold(exchange({}), { ...beyond, overdraft: true })).toEqual([]);
    });

    test('nothing is certain about a seat that may have become free during the call', () => {
      const given = exchange({ method: 'DELETE', sentAtMs: 15, receivedAtMs: 30, status: 204 });
      expect(untold(exchange({}), given, exchange({ leaseId: 'b', sentAtMs: 10, receivedAtMs: 20 }))).toEqual([]);
    });
  });
});
