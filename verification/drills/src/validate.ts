import { verifyAudit } from './audit';
import type { Drill } from './drill';
import {
  type Holding,
  holdingsOf,
  oversoldPools,
  overtakings,
  owedAt,
  peaks,
  regionsByEpoch,
  staleAcknowledgements,
  untoldOverdrafts,
} from './history';
import { seatsOf } from './license';

const HEARTBEATS_AT_ONCE = 25;
const AUDIT_LIMIT_MS = 45_000;

/**
 * What must be true after every scenario, judged from the responses that the Control Rooms got: nothing sold twice, one
 * region an epoch, and every acknowledged lease still honoured by whoever is active.
 */
export async function checkEveryPromise(drill: Drill): Promise<void> {
  const { exchanges } = drill.load;
  const holdings = holdingsOf(exchanges);
  noSeatSoldTwice(drill, holdings);
  overdraftIsTold(drill, holdings);
  nobodyOvertakes(drill);
  oneRegionAnEpoch(drill);
  await everyLeaseHonoured(drill, holdings);
  await auditIsIntact(drill);
  countAnswers(drill);
}

/** What Control Rooms were told, in figures; also of a drill that did not get to its end. */
export function countAnswers(drill: Drill): void {
  const { exchanges } = drill.load;
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
  const capacity = seatsOf(drill.license, 'capacity');
  const oversold = oversoldPools(holdings.values(), capacity);
  const highest = [...peaks(holdings.values())].map(
    ([pool, { held }]) => `${pool} at most ${held} of ${capacity.get(pool)}`,
  );
  const broken = oversold.map(({ pool, held, seats }) => `${pool}: ${held} held of ${seats}`);
  drill.promise('no seat is sold twice', oversold.length === 0, (broken.length > 0 ? broken : highest).join(', '));
}

function overdraftIsTold(drill: Drill, holdings: ReadonlyMap<string, Holding>): void {
  if (drill.license.entitlements.every(({ overdraft = 0 }) => overdraft === 0)) return;
  const told = [...holdings.values()].filter(({ overdraft }) => overdraft).length;
  const untold = untoldOverdrafts(holdings.values(), seatsOf(drill.license, 'sold'));
  drill.promise('whoever takes a seat beyond those sold is told', untold.length === 0, `${told} told`);
}

function nobodyOvertakes(drill: Drill): void {
  const places = drill.load.exchanges.filter(({ status }) => status === 202);
  if (places.length === 0) return;
  const [first, ...more] = overtakings(drill.load.exchanges);
  const words = first
    ? `${more.length + 1}, for example ${first.servedFirst} before ${first.waiting}`
    : `${new Set(places.map(({ leaseId }) => leaseId)).size} stood in line`;
  drill.promise('nobody overtakes in the line', first === undefined, words);
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

/** What was lost with a region is declared within moments of the change of hands; until then it would be a finding. */
async function auditIsIntact(drill: Drill): Promise<void> {
  const last = { words: 'nobody could be asked' };
  const intact = await drill
    .eventually('the audit log is intact', AUDIT_LIMIT_MS, async () => {
      const verdict = await verifyAudit(drill.world.home);
      last.words = verdict.words;
      return verdict.intact ? verdict : undefined;
    })
    .catch(() => undefined);
  drill.promise('the audit log can be verified from its first event', intact !== undefined, last.words);
}

/**
 * Every lease that is still owed to a client is presented, with its token, at the public address: such as its time is not
 * over, and such as ran out while nobody heard the client, which the region that took over has to have kept for it (S4).
 */
async function everyLeaseHonoured(drill: Drill, holdings: ReadonlyMap<string, Holding>): Promise<void> {
  const { running, unheard } = owedAt(performance.now(), drill.load.exchanges);
  const owed = [...running, ...unheard];
  const toldGone = [...holdings.values()].filter(({ ended }) => ended === 'told-ended');
  const lost: string[] = [];
  for (let index = 0; index < owed.length; index += HEARTBEATS_AT_ONCE) {
    const some = owed.slice(index, index + HEARTBEATS_AT_ONCE);
    const answers = await Promise.all(some.map(({ leaseId, token }) => drill.load.present(leaseId, token)));
    answers.forEach((answer, place) => {
      if (answer !== 'honoured') lost.push(`${some[place]?.leaseId}: ${answer}`);
    });
  }
  const missing = lost.length + toldGone.length;
  drill.figure('leases presented at the end', owed.length);
  drill.figure('of them run out while their holders asked in vain', unheard.length);
  drill.figure('of them unknown to the new region, adopted by token', await drill.adoptedLeases());
  drill.figure('acknowledged leases lost', missing);
  const words =
    missing === 0
      ? `${owed.length} presented`
      : [...lost.slice(0, 3), `${toldGone.length} told gone before`].join('; ');
  drill.promise('no acknowledged checkout is lost', missing === 0, words);
}
