import { Random } from '../time/random';
import { TALES, type Theme } from './profiles';
import { drawClocks, drawOthers, drawPool, drawRoom, type Scenario } from './scenario';
import { drawDays } from './soak';
import type { Draw } from './targeted';

export const THEMES: Readonly<Record<Theme, Draw>> = { ...TALES, days: drawDays };

const TALE_NAMES = Object.keys(TALES) as (keyof typeof TALES)[];

/** Mostly what can break soon; the rest is for what only a long life brings together. */
const DAYS_SHARE = 0.1;
/** Of those that are coarse. */
const LEAPS_SHARE = 0.7;

/** Draws a scenario from its seed: a theme that is drawn too, unless it is given, and faults that have nothing to do with it. */
export function drawScenario(seed: number, wanted?: Theme): Scenario {
  const random = new Random(seed * 2_654_435_761);
  // Mostly a small world in which something happens soon: what can break breaks there, and many fit into a minute.
  const small = random.chance(0.8);
  const pools = Array.from({ length: !small && random.chance(0.4) ? 2 : 1 }, () => drawPool(random, small ? 3 : 5));
  const rooms = Array.from({ length: random.int(3, small ? 5 : 7) }, () => drawRoom(random, pools.length));
  const chaosMs = (small ? random.int(6, 9) : random.int(10, 25)) * 60_000;
  const plain: Scenario = {
    ...{ seed, pools, rooms, chaosMs, faults: [], aheadMs: drawClocks(random) },
    serversPerRegion: random.int(1, 2),
    controllers: random.chance(small ? 0.1 : 0.4) ? 2 : 1,
    leaseTtlMs: random.pick([60_000, 300_000, 600_000]),
    unprotectedAfterMs: random.pick([60_000, 60_000, 0]),
    timersLateMsMax: random.pick([200, 2_000, 2_000]),
    coarse: random.chance(0.85),
  };
  const drawn = random.pick(TALE_NAMES);
  const told = THEMES[wanted ?? drawn](random, plain);
  const scenario = { ...told, faults: [...told.faults, ...drawOthers(random, told, small ? 3 : 8)] };
  const isLong = wanted === undefined && random.chance(DAYS_SHARE);
  if (isLong) return inOrder(drawDays(random, plain));
  return inOrder(scenario.coarse && random.chance(LEAPS_SHARE) ? { ...scenario, leaps: true } : scenario);
}

function inOrder(scenario: Scenario): Scenario {
  return { ...scenario, faults: [...scenario.faults].sort((one, other) => one.when.atMs - other.when.atMs) };
}
