import { Random } from '../time/random';
import { FAULT_PROFILES, type FaultProfile } from './profiles';
import { drawClocks, drawOthers, drawPool, drawRoom, type Scenario } from './scenario';
import { drawSoak } from './soak';
import type { ScenarioProfile } from './targeted';

export const ALL_PROFILES: Readonly<Record<FaultProfile, ScenarioProfile>> = { ...FAULT_PROFILES, soak: drawSoak };

const PROFILE_NAMES = Object.keys(FAULT_PROFILES) as (keyof typeof FAULT_PROFILES)[];

/** Share of long runs, in which independent incidents meet. */
const SOAK_SHARE = 0.1;
/** Share of the coarse scenarios that skip idle time. */
const SKIPS_SHARE = 0.7;

/** Draws a scenario from its seed: a profile, unless one is given, and unrelated faults. */
export function drawScenario(seed: number, profile?: FaultProfile): Scenario {
  const random = new Random(seed * 2_654_435_761);
  // Mostly small scenarios: faults meet there early, and many fit into a minute.
  const small = random.chance(0.8);
  const pools = Array.from({ length: !small && random.chance(0.4) ? 2 : 1 }, () => drawPool(random, small ? 3 : 5));
  const rooms = Array.from({ length: random.int(3, small ? 5 : 7) }, () => drawRoom(random, pools.length));
  const chaosMs = (small ? random.int(6, 9) : random.int(10, 25)) * 60_000;
  const plain: Scenario = {
    ...drawDeployment(new Random(seed * 40_503 + 1)),
    seed,
    pools,
    rooms,
    chaosMs,
    faults: [],
    aheadMs: drawClocks(random),
    serversPerRegion: random.int(1, 2),
    controllers: random.chance(small ? 0.1 : 0.4) ? 2 : 1,
    leaseTtlMs: random.pick([60_000, 300_000, 600_000]),
    unprotectedAfterMs: random.pick([60_000, 60_000, 0]),
    timersLateMsMax: random.pick([200, 2_000, 2_000]),
    coarse: random.chance(0.85),
  };
  const drawn = random.pick(PROFILE_NAMES);
  const profiled = ALL_PROFILES[profile ?? drawn](random, plain);
  const scenario = { ...profiled, faults: [...profiled.faults, ...drawOthers(random, profiled, small ? 3 : 8)] };
  const isLong = profile === undefined && random.chance(SOAK_SHARE);
  if (isLong) return inOrder(drawSoak(random, plain));
  return inOrder(scenario.coarse && random.chance(SKIPS_SHARE) ? { ...scenario, skipsIdleTime: true } : scenario);
}

/** Properties of a deployment that have a random sequence of their own, so that they change nothing else in a seed. */
function drawDeployment(random: Random): Pick<Scenario, 'authorityStore'> {
  return { authorityStore: random.pick(['sql', 'dynamodb']) };
}

function inOrder(scenario: Scenario): Scenario {
  return { ...scenario, faults: [...scenario.faults].sort((one, other) => one.when.atMs - other.when.atMs) };
}
