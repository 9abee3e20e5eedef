import type { ControlRecord } from '@evergrant/controller/core/control-record';
import type { OperationReport } from '@evergrant/controller/core/operations';
import type { Region } from '@evergrant/core/regions';
import { PROCESSES } from '@evergrant/local-cluster/layout';
import { PROFILE_DURATIONS } from '@evergrant/local-cluster/profiles';
import type { Drill } from '../drill';
import { FAULT } from '../report';

/** Every process of a region: servers, router and databases. */
export const everythingIn = (region: Region): string[] =>
  PROCESSES.filter(({ place }) => place === region).map(({ name }) => name);

export const serversOf = (region: Region): string[] =>
  PROCESSES.filter(({ place, kind }) => place === region && kind === 'app').map(({ name }) => name);

/** Several times the fast profile's confirmation window. */
const SEVERAL_WINDOWS_MS = 12_000;
const FAILOVER_LIMIT_MS = 60_000;
/** After unprotected grants (S6) all free seats are held back for the lease TTL (30 s) and the authority lease. */
const FIRST_GRANT_LIMIT_MS = 60_000;

const FAST = PROFILE_DURATIONS.fast;
/**
 * The longest time without a served call after the follower is gone. Grants beyond the escrow wait until they are
 * unprotected. That takes until the record of it is read back at a renewal, and a refused call is repeated later.
 */
export const UNPROTECTED_SILENCE_MS_MAX = FAST.unprotectedAfterMs + 2 * FAST.renewalEveryMs + FAST.callTimeoutMs;

/** Waits until the Control Rooms hold leases. */
export async function awaitLeases(drill: Drill): Promise<void> {
  await drill.eventually(
    'Control Rooms hold seats',
    90_000,
    () => drill.traffic.acknowledgedGrants() >= 100 && drill.traffic.leasesHeld() >= 20,
  );
}

export function injectFault(drill: Drill, what: string): void {
  drill.mark(FAULT);
  drill.figure('fault', what);
}

function verdictOf(record: ControlRecord): string {
  return record.verdictState?.verdict.kind ?? 'none';
}

/** Waits until the controller's verdict is `kind`. */
export async function awaitVerdict(drill: Drill, kind: string, limitMs = 30_000): Promise<void> {
  await drill.eventually(
    `the controller's verdict is ${kind}`,
    limitMs,
    async () => verdictOf(await drill.control()) === kind,
  );
}

/** Waits for an alert after `sinceMs` whose code or text matches. */
export async function awaitAlert(drill: Drill, words: RegExp, sinceMs: number): Promise<void> {
  const found = await drill
    .eventually(`an alert that matches ${words}`, 30_000, () => drill.alerts(sinceMs).find((text) => words.test(text)))
    .catch(() => undefined);
  drill.check('an alert is raised', found !== undefined, found ?? `no alert matches ${words}`);
}

/** Checks that authority stays with Oregon in epoch 1. */
export async function checkNoFailover(drill: Drill, forMs = SEVERAL_WINDOWS_MS): Promise<void> {
  const broken = await drill.steadily(forMs, async () => {
    const { epoch, region } = await drill.authority();
    return epoch === 1 && region === 'oregon' ? undefined : `epoch ${epoch} belongs to ${region}`;
  });
  const { operation, lastOperation } = await drill.control();
  const untouched = broken === undefined && operation === undefined && lastOperation === undefined;
  drill.check('no failover happens', untouched, broken ?? `watched for ${forMs / 1000} s`);
}

/** Waits for the end of a failover and records its timeline. */
export async function awaitFailover(drill: Drill, limitMs = FAILOVER_LIMIT_MS): Promise<OperationReport> {
  const report = await drill.eventually('the failover is done', limitMs, async () => {
    const { operation, lastOperation } = await drill.control();
    return operation === undefined && lastOperation?.kind === 'failover' ? lastOperation : undefined;
  });
  markOperation(drill, report);
  await awaitFirstGrant(drill, report.toRegion, report.toEpoch);
  drill.check('the failover succeeds', report.outcome === 'done', report.summary);
  return report;
}

export function markOperation(drill: Drill, report: OperationReport): void {
  if (report.evidence.detectedAtMs !== undefined)
    drill.mark('detected: first sample with both down', report.evidence.detectedAtMs);
  drill.mark(`${report.kind} started${report.automatic ? ', confirmed' : ` by ${report.by}`}`, report.startedAtMs);
  for (const { phase, leftAtMs } of report.timeline) {
    if (leftAtMs !== undefined) drill.mark(`${report.kind}: ${phase} done`, leftAtMs);
  }
}

/** Waits until a Control Room has received a grant of this epoch. */
export async function awaitFirstGrant(drill: Drill, region: Region, epoch: number): Promise<void> {
  const first = await drill.eventually(`a first grant of ${region} in epoch ${epoch}`, FIRST_GRANT_LIMIT_MS, () =>
    drill.traffic.firstGrant(region, epoch),
  );
  drill.mark(`first grant of ${region} in epoch ${epoch}`, first);
  drill.recoveredAt(first);
}

/** Checks that no server of a region grants, with calls that bypass router and edge. */
export async function checkDoesNotGrant(drill: Drill, region: Region, forMs: number): Promise<void> {
  const grants = await drill.steadily(forMs, () => drill.traffic.tryToCheckOutDirectly(region));
  drill.check(`${region} does not grant`, grants === undefined, grants ?? `tried for ${forMs / 1000} s`);
}
