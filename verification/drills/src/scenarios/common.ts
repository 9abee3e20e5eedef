import type { ControlRecord } from '@evergrant/controller/core/control-record';
import type { OperationReport } from '@evergrant/controller/core/operations';
import type { Region } from '@evergrant/core/regions';
import { PROCESSES } from '@evergrant/local-cluster/layout';
import type { Drill } from '../drill';
import { FAULT } from '../report';

/** Every process of a region, servers, router and databases: what dies with it. */
export const everythingIn = (region: Region): string[] =>
  PROCESSES.filter(({ place }) => place === region).map(({ name }) => name);

export const serversOf = (region: Region): string[] =>
  PROCESSES.filter(({ place, kind }) => place === region && kind === 'app').map(({ name }) => name);

/** Long enough for the fast profile's whole confirmation window several times over. */
const SEVERAL_WINDOWS_MS = 12_000;
const FAILOVER_LIMIT_MS = 60_000;
/** After unprotected grants (S6) every free seat is held back first, for a lease's time of 30 s and the authority lease. */
const FIRST_GRANT_LIMIT_MS = 60_000;

/** Lets the Control Rooms work for a moment, so that there is something to lose. */
export async function settleIn(drill: Drill): Promise<void> {
  await drill.eventually(
    'Control Rooms hold seats',
    90_000,
    () => drill.load.acknowledgedGrants() >= 100 && drill.load.leasesHeld() >= 20,
  );
}

export function injectFault(drill: Drill, what: string): void {
  drill.mark(FAULT);
  drill.figure('fault', what);
}

function verdictOf(record: ControlRecord): string {
  return record.verdictState?.verdict.kind ?? 'none';
}

/** Waits until the controller's standing verdict is `kind`. */
export async function awaitVerdict(drill: Drill, kind: string, limitMs = 30_000): Promise<void> {
  await drill.eventually(
    `the controller's verdict is ${kind}`,
    limitMs,
    async () => verdictOf(await drill.control()) === kind,
  );
}

/** Waits for an alert that was raised after `sinceMs` and whose text or kind has the words. */
export async function awaitAlert(drill: Drill, words: RegExp, sinceMs: number): Promise<void> {
  const found = await drill
    .eventually(`an alert that says ${words}`, 30_000, () => drill.alerts(sinceMs).find((text) => words.test(text)))
    .catch(() => undefined);
  drill.promise('the team is alerted', found !== undefined, found ?? `no alert matches ${words}`);
}

/** Promises that authority stays with Oregon in epoch 1 for a while. */
export async function promiseNoFailover(drill: Drill, forMs = SEVERAL_WINDOWS_MS): Promise<void> {
  const broken = await drill.steadily(forMs, async () => {
    const { epoch, region } = await drill.authority();
    return epoch === 1 && region === 'oregon' ? undefined : `epoch ${epoch} belongs to ${region}`;
  });
  const { operation, lastOperation } = await drill.control();
  const untouched = broken === undefined && operation === null && lastOperation === null;
  drill.promise('no failover happens', untouched, broken ?? `watched for ${forMs / 1000} s`);
}

/** Waits for a failover's end and writes its timeline down. */
export async function awaitFailover(drill: Drill, limitMs = FAILOVER_LIMIT_MS): Promise<OperationReport> {
  const report = await drill.eventually('the failover is done', limitMs, async () => {
    const { operation, lastOperation } = await drill.control();
    return operation === null && lastOperation?.kind === 'failover' ? lastOperation : undefined;
  });
  markOperation(drill, report);
  await awaitFirstGrant(drill, report.toRegion, report.toEpoch);
  drill.promise('the failover ends well', report.outcome === 'done', report.summary);
  return report;
}

export function markOperation(drill: Drill, report: OperationReport): void {
  if (report.evidence.detectedAtMs !== null)
    drill.mark('detected: first sample with both down', report.evidence.detectedAtMs);
  drill.mark(`${report.kind} begun${report.automatic ? ', confirmed' : ` by ${report.by}`}`, report.startedAtMs);
  for (const { phase, leftAtMs } of report.timeline) {
    if (leftAtMs !== null) drill.mark(`${report.kind}: ${phase} done`, leftAtMs);
  }
}

/** Waits until a Control Room has a grant of this epoch in hand. */
export async function awaitFirstGrant(drill: Drill, region: Region, epoch: number): Promise<void> {
  const first = await drill.eventually(`a first grant of ${region} in epoch ${epoch}`, FIRST_GRANT_LIMIT_MS, () =>
    drill.load.firstGrant(region, epoch),
  );
  drill.mark(`first grant of ${region} in epoch ${epoch}`, first);
  drill.recoveredAt(first);
}

/** Asks the region's servers themselves, behind the router's and the edge's back, whether one of them grants. */
export async function promiseDoesNotGrant(drill: Drill, region: Region, forMs: number): Promise<void> {
  const grants = await drill.steadily(forMs, () => drill.load.tryToCheckOutDirectly(region));
  drill.promise(
    `${region} grants nothing, however it is asked`,
    grants === undefined,
    grants ?? `asked for ${forMs / 1000} s`,
  );
}
