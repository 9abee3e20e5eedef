import fc from 'fast-check';
import { identityNumber, leaseIdentity, sameSeats } from '../../src/core/lease-identity';

describe('lease identity', () => {
  it("is the installation's name for the first lease, with a number for the others", () => {
    expect(leaseIdentity('kyoto', new Set())).toEqual({ identity: 'kyoto', number: 1 });
    expect(leaseIdentity('kyoto', new Set([1]))).toEqual({ identity: 'kyoto#2', number: 2 });
    expect(leaseIdentity('kyoto', new Set([1, 3]))).toEqual({ identity: 'kyoto#2', number: 2 });
  });

  it('is stable across restarts, whatever the order of earlier leases', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 40 }), (comeOrGo) => {
        const held: number[] = [];
        for (const come of comeOrGo) {
          if (come) held.push(leaseIdentity('kyoto', new Set(held)).number);
          else held.shift();
        }
        // The second process requests as many leases as the first one held: each name is a used one or the next.
        const taken = new Set<number>();
        for (const _ of held) taken.add(leaseIdentity('kyoto', taken).number);
        expect([...taken]).toEqual(held.map((_, index) => index + 1));
      }),
    );
  });

  it('is parsed back to its number', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.uniqueArray(fc.integer({ min: 1, max: 50 })),
        (installation, taken) => {
          const { identity, number } = leaseIdentity(installation, new Set(taken));
          expect(identityNumber(installation, identity)).toBe(number);
        },
      ),
    );
    for (const other of [undefined, 'osaka', 'osaka#2', 'kyoto#', 'kyoto#1', 'kyoto#x', 'kyoto#1.5']) {
      expect(identityNumber('kyoto', other)).toBeUndefined();
    }
  });

  it('matches by product, feature, seats and, if given, license', () => {
    const seats = { product: 'p', feature: 'f', seats: 2 };
    expect(sameSeats(seats, { ...seats, licenseId: 'any' })).toBe(true);
    expect(sameSeats({ ...seats, licenseId: 'one' }, { ...seats, licenseId: 'other' })).toBe(false);
    expect(sameSeats(seats, { ...seats, seats: 3 })).toBe(false);
    expect(sameSeats(seats, { ...seats, feature: 'g' })).toBe(false);
  });
});
