import { explore } from '../src/explore';
import { ALL_RULES, type Rules } from '../src/rules';
import { SHAPES } from '../src/shapes';

const [ONE_SEAT, , TWO_SEATS] = SHAPES as [(typeof SHAPES)[0], (typeof SHAPES)[0], (typeof SHAPES)[0]];

/** The shape in which the absence of each rule is found fastest; some need a second seat. */
const WHERE: Record<keyof Rules, typeof ONE_SEAT> = {
  escrow: TWO_SEATS,
  adoption: ONE_SEAT,
  adoptionIntoFullPool: ONE_SEAT,
  extension: ONE_SEAT,
  doubt: ONE_SEAT,
  holdBack: ONE_SEAT,
  proofToAnswer: ONE_SEAT,
  openingWaits: TWO_SEATS,
  unprotectedIsRecorded: TWO_SEATS,
  unprotectedHoldsBackAll: TWO_SEATS,
  takeBackWaits: ONE_SEAT,
};

describe('granting rules', () => {
  it('allow no violation in the smallest world', () => {
    const found = explore(ALL_RULES, { ...ONE_SEAT, tailMax: 2 });
    expect(found).toMatchObject({ kind: 'complete' });
    expect(found.states).toBeGreaterThan(10_000);
  });

  it.each(Object.keys(WHERE) as (keyof Rules)[])('allow a violation without the rule %s', (rule) => {
    expect(explore({ ...ALL_RULES, [rule]: false }, { ...WHERE[rule], tailMax: 2 }).kind).toBe('violated');
  });
});
