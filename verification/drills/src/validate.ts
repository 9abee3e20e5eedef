import { verifyAudit } from './audit';
import type { Drill } from './drill';
import {
  expectedLeases,
  holdingsOf,
  oversoldPools,
  overtakenPlaces,
  peaks,
  type RecordedHolding,
  regionsByEpoch,
  staleAcknowledgements,
  unflaggedOverdrafts,
} from './history';
import { seatsOf } from './license';

const HEARTBEATS_AT_ONCE = 25;
const AUDIT_LIMIT_MS = 45_000;

/**
 * The checks that follow every scenario, based on the responses that the Control Rooms received: no pool is oversold, one
 * region grants in an epoch, and the active region honours every acknowledged lease.
 */
export async function validate(drill: Drill): Promise<void> {
  const { exchanges } = drill.traffic;
  const holdings = holdingsOf(exchanges);
  checkNotOversold(drill, holdings);
  checkOverdraftFlagged(drill, holdings);
  checkQueueOrder(drill);
  checkEpochs(drill);
  await checkLeasesHonoured(drill, holdings);
  await checkAudit(drill);
  countAnswers(drill);
}

/** Adds the counts of responses to the report, also for a drill that failed early. */
export function countAnswers(drill: Drill): void {
  const { exchanges } = drill.traffic;
  drill.figure('calls of Control Rooms', exchanges.length);
  drill.figure('checkouts acknowledged', drill.traffic.acknowledgedGrants());
  for (const [answer, count] of refusals(drill)) drill.figure(`answered ${answer}`, count);
  drill.figure('without an answer', exchanges.filter(({ status }) => status === undefined).length);
}

/** Counts of each kind of refusal, most frequent first. */
function refusals(drill: Drill): [string, number][] {
  const counts = new Map<string, number>();
  for (const { status, code } of drill.traffic.exchanges) {
    if (status === undefined || status < 400) continue;
    const answer = `${status} ${code ?? ''}`;
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }
  return [...counts].sort((left, right) => right[1] - left[1]);
}

function checkNotOversold(drill: Drill, holdings: ReadonlyMap<string, RecordedHolding>): void {
  const capacity = seatsOf(drill.license, 'capacity');
  const oversold = oversoldPools(holdings.values(), capacity);
  const highest = [...peaks(holdings.values())].map(
    ([pool, { held }]) => `${pool} at most ${held} of ${capacity.get(pool)}`,
  );
  const broken = oversold.map(({ pool, held, seats }) => `${pool}: ${held} held of ${seats}`);
  drill.check('no pool is oversold', oversold.length === 0, (broken.length > 0 ? broken : highest).join(', '));
}

function checkOverdraftFlagged(drill: Drill, holdings: ReadonlyMap<string, RecordedHolding>): void {
  if (drill.license.entitlements.every(({ overdraft = 0 }) => overdraft === 0)) return;
  const flagged = [...holdings.values()].filter(({ overdraft }) => overdraft).length;
  const unflagged = unflaggedOverdrafts(holdings.values(), seatsOf(drill.license, 'sold'));
  drill.check('every grant in overdraft is marked as overdraft', unflagged.length === 0, `${flagged} in overdraft`);
}

function checkQueueOrder(drill: Drill): void {
  const places = drill.traffic.exchanges.filter(({ status }) => status === 202);
  if (places.length === 0) return;
  const [first, ...more] = overtakenPlaces(drill.traffic.exchanges);
  const words = first
    ? `${more.length + 1}, for example ${first.servedFirst} before ${first.waiting}`
    : `${new Set(places.map(({ leaseId }) => leaseId)).size} waited in the queue`;
  drill.check('the queue is served in order', first === undefined, words);
}

function checkEpochs(drill: Drill): void {
  const regions = [...regionsByEpoch(drill.traffic.exchanges)];
  const words = regions.map(([epoch, names]) => `epoch ${epoch}: ${[...names].join(' and ')}`).join(', ');
  drill.check(
    'each epoch is granted by one region',
    regions.every(([, names]) => names.size === 1),
    words,
  );
  const stale = staleAcknowledgements(drill.traffic.exchanges);
  const first = stale[0];
  drill.check(
    'no old epoch acknowledges anything after a newer one has granted',
    stale.length === 0,
    first ? `${stale.length}, for example by ${first.servedBy} in epoch ${first.epoch}` : '',
  );
}

/** Lost events are declared shortly after a failover; until then they are findings of the verification. */
async function checkAudit(drill: Drill): Promise<void> {
  const last = { words: 'no verification succeeded' };
  const intact = await drill
    .eventually('the audit log is intact', AUDIT_LIMIT_MS, async () => {
      const verdict = await verifyAudit(drill.world.home);
      last.words = verdict.words;
      return verdict.intact ? verdict : undefined;
    })
    .catch(() => undefined);
  drill.check('the audit log can be verified from its first event', intact !== undefined, last.words);
}

/**
 * Renews every lease that the active region must still honour, with its token, at the public address: leases that have not
 * ended, and leases that ended while their clients reached no server (S4).
 */
async function checkLeasesHonoured(drill: Drill, holdings: ReadonlyMap<string, RecordedHolding>): Promise<void> {
  const { running, unreachable } = expectedLeases(performance.now(), drill.traffic.exchanges);
  const expected = [...running, ...unreachable];
  const rejected = [...holdings.values()].filter(({ ended }) => ended === 'reported-ended');
  const lost: string[] = [];
  for (let index = 0; index < expected.length; index += HEARTBEATS_AT_ONCE) {
    const some = expected.slice(index, index + HEARTBEATS_AT_ONCE);
    const answers = await Promise.all(some.map(({ leaseId, token }) => drill.traffic.present(leaseId, token)));
    answers.forEach((answer, place) => {
      if (answer !== 'honoured') lost.push(`${some[place]?.leaseId}: ${answer}`);
    });
  }
  const missing = lost.length + rejected.length;
  drill.figure('leases presented at the end', expected.length);
  drill.figure('of them ended while no server was reachable', unreachable.length);
  drill.figure('of them unknown to the new region, adopted by token', await drill.adoptedLeases());
  drill.figure('acknowledged leases lost', missing);
  const words =
    missing === 0
      ? `${expected.length} presented`
      : [...lost.slice(0, 3), `${rejected.length} rejected before`].join('; ');
  drill.check('no acknowledged checkout is lost', missing === 0, words);
}
