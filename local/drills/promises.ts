import type { Drill } from './drill';
import { type Holding, holdingsOf, oversoldPools, peaks, regionsByEpoch, staleAcknowledgements } from './ledger';
import { DRILL_SEATS } from './load';

const HEARTBEATS_AT_ONCE = 25;

/**
 * What must be true after every scenario, judged from the responses that the Control Rooms got: nothing sold twice, one
 * region an epoch, and every acknowledged lease still honoured by whoever is active.
 */
export async function checkEveryPromise(drill: Drill): Promise<void> {
  const { exchanges } = drill.load;
  const holdings = holdingsOf(exchanges);
  noSeatSoldTwice(drill, holdings);
  oneRegionAnEpoch(drill);
  await everyLeaseHonoured(drill, holdings);
  drill.figure('calls of Control Rooms', exchanges.length);
  drill.figure('checkouts acknowledged', drill.load.acknowledgedGrants());
  for (const [answer, count] of refusals(drill)) drill.figure(`answered ${answer}`, count);
  drill.figure('without an answer', exchanges.filter(({ status }) => status === undefined).length);
}

/** How often each kind of refusal was given, the most frequent first. */
function refusals(drill: Drill): [string, number][] {
  const counts = new Map<string, number>();
  for (const { status, code } of drill.load.exchanges) {
    if (status === undefined || status < 400) continue;
    const answer = `${status} ${code ?? ''}`;
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }
  return [...counts].sort((left, right) => right[1] - left[1]);
}

function noSeatSoldTwice(drill: Drill, holdings: ReadonlyMap<string, Holding>): void {
  const oversold = oversoldPools(holdings.values(), DRILL_SEATS);
  const highest = [...peaks(holdings.values())].map(
    ([pool, { held }]) => `${pool} at most ${held} of ${DRILL_SEATS.get(pool)}`,
  );
  const broken = oversold.map(({ pool, held, seats }) => `${pool}: ${held} held of ${seats}`);
  drill.promise('no seat is sold twice', oversold.length === 0, (broken.length > 0 ? broken : highest).join(', '));
}

function oneRegionAnEpoch(drill: Drill): void {
  const regions = [...regionsByEpoch(drill.load.exchanges)];
  const words = regions.map(([epoch, names]) => `epoch ${epoch}: ${[...names].join(' and ')}`).join(', ');
  drill.promise(
    'each epoch is granted by one region',
    regions.every(([, names]) => names.size === 1),
    words,
  );
  const stale = staleAcknowledgements(drill.load.exchanges);
  const first = stale[0];
  drill.promise(
    'nothing is acknowledged in an old epoch once a newer one grants',
    stale.length === 0,
    first ? `${stale.length}, for example by ${first.servedBy} in epoch ${first.epoch}` : '',
  );
}

/** Every lease that a client still believes in is presented, with its token, at the public address. */
async function everyLeaseHonoured(drill: Drill, holdings: ReadonlyMap<string, Holding>): Promise<void> {
  const now = performance.now();
  const believed = [...holdings.values()].filter(({ ended, untilMs }) => ended === undefined && untilMs > now);
  const toldGone = [...holdings.values()].filter(({ ended }) => ended === 'told-ended');
  const lost: string[] = [];
  for (let index = 0; index < believed.length; index += HEARTBEATS_AT_ONCE) {
    const some = believed.slice(index, index + HEARTBEATS_AT_ONCE);
    const answers = await Promise.all(some.map(({ leaseId, token }) => drill.load.present(leaseId, token)));
    answers.forEach((answer, place) => {
      if (answer !== 'honoured') lost.push(`${some[place]?.leaseId}: ${answer}`);
    });
  }
  const missing = lost.length + toldGone.length;
  drill.figure('leases presented at the end', believed.length);
  drill.figure('of them unknown to the new region, adopted by token', await drill.adoptedLeases());
  drill.figure('acknowledged leases lost', missing);
  const words =
    missing === 0
      ? `${believed.length} presented`
      : [...lost.slice(0, 3), `${toldGone.length} told gone before`].join('; ');
  if (drill.lossTolerated === undefined) drill.promise('no acknowledged checkout is lost', missing === 0, words);
  else drill.figure('losses are only counted here, because', drill.lossTolerated);
}
