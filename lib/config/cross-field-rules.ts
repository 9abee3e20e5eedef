import { pauseMaxMs } from '@evergrant/controller/aws/schedule';
import { DEFAULT_POLICY, type Policy } from '@evergrant/controller/core/policy';
import { addressPlanMistakes } from './address-plan';
import type { DeploymentConfig } from './deployment-config';
import { memoryMistake } from './fargate-sizes';

/** How often a server renews its authority, in milliseconds. */
export const RENEWAL_EVERY_MS = 5_000;
/** After three misses in a row a server still has some of its lease left for a fourth try. */
const LEASE_MIN_MS = 4 * RENEWAL_EVERY_MS;
/** What RDS asks for between storage and its limit, in per cent of the storage. */
const STORAGE_HEADROOM_PERCENT = 10;
/** An account's certificates carry no longer name first. */
const PUBLIC_NAME_MAX = 64;

/** A configuration of which only what fits its schema is left: what is not there is not related to anything. */
export type Fitting<Value> = Value extends readonly unknown[]
  ? Value
  : Value extends object
    ? { readonly [Key in keyof Value]?: Fitting<Value[Key]> }
    : Value;

/** What each part says by itself, and what does not go together. */
export function relationMistakes(config: Fitting<DeploymentConfig>): string[] {
  const { domain = {}, network = {}, database = {}, service = {}, thresholds = {}, failover = {} } = config;
  return [
    ...domainMistakes(domain),
    ...addressPlanMistakes(network),
    ...storageMistakes(database, thresholds.slotLagMiB),
    ...serviceMistakes(service),
    ...failoverMistakes({ ...DEFAULT_POLICY, ...failover }),
  ];
}

function domainMistakes({ publicName, zoneName }: Fitting<DeploymentConfig['domain']>): string[] {
  if (publicName === undefined) return [];
  const mistakes: string[] = [];
  if (publicName.length > PUBLIC_NAME_MAX) {
    mistakes.push(`domain.publicName: has ${publicName.length} characters; a certificate carries ${PUBLIC_NAME_MAX}`);
  }
  if (zoneName !== undefined && publicName !== zoneName && !publicName.endsWith(`.${zoneName}`)) {
    mistakes.push(`domain.publicName: ${publicName} is not in the zone ${zoneName}`);
  }
  return mistakes;
}

function storageMistakes(
  { storageGiB, storageMaxGiB }: Fitting<DeploymentConfig['database']>,
  slotLagMiB: number | undefined,
): string[] {
  if (storageGiB === undefined) return [];
  const mistakes: string[] = [];
  const leastGiB = Math.ceil((storageGiB * (100 + STORAGE_HEADROOM_PERCENT)) / 100);
  if (storageMaxGiB !== undefined && storageMaxGiB < leastGiB) {
    mistakes.push(
      `database.storageMaxGiB: ${storageMaxGiB} is less than ${STORAGE_HEADROOM_PERCENT} % above storageGiB; at least ${leastGiB}`,
    );
  }
  // The slot may keep twice what alarms.
  if (slotLagMiB !== undefined && 2 * slotLagMiB >= 1_024 * storageGiB) {
    mistakes.push(
      `thresholds.slotLagMiB: a follower that is gone may fill the disk with twice that; below ${512 * storageGiB}, half of storageGiB`,
    );
  }
  return mistakes;
}

function serviceMistakes({ cpu, memoryMiB, tasksMin, tasksMax }: Fitting<DeploymentConfig['service']>): string[] {
  const mistakes: string[] = [];
  const memory = cpu === undefined || memoryMiB === undefined ? null : memoryMistake(cpu, memoryMiB);
  if (memory !== null) mistakes.push(`service.memoryMiB: ${memory}`);
  if (tasksMin !== undefined && tasksMax !== undefined && tasksMax < tasksMin) {
    mistakes.push(`service.tasksMax: ${tasksMax} is below service.tasksMin, ${tasksMin}`);
  }
  return mistakes;
}

function failoverMistakes(policy: Policy): string[] {
  const { sampleEveryMs, sampleGapMaxMs, samplesToConfirm, authorityLeaseMs, skewMs, drainMaxMs, drainAtRestMs } =
    policy;
  const mistakes: string[] = [];
  if (samplesToConfirm < 2) mistakes.push('failover.samplesToConfirm: one look is no evidence; at least 2');
  // The schedule has minutes, and keeps them roughly.
  if (sampleEveryMs > 10_000)
    mistakes.push('failover.sampleEveryMs: five samples must fit into a minute; at most 10000');
  const leastMs = pauseMaxMs(sampleEveryMs);
  if (sampleGapMaxMs <= leastMs) {
    mistakes.push(
      `failover.sampleGapMaxMs: must be longer than ${leastMs}, the longest pause between two invocations of the schedule`,
    );
  }
  if (authorityLeaseMs < LEASE_MIN_MS) {
    mistakes.push(
      `failover.authorityLeaseMs: ${authorityLeaseMs} does not outlast three missed renewals, one every ${RENEWAL_EVERY_MS}; at least ${LEASE_MIN_MS}`,
    );
  }
  if (skewMs >= authorityLeaseMs && authorityLeaseMs >= LEASE_MIN_MS) {
    mistakes.push(`failover.skewMs: ${skewMs} is no less than the lease it is to protect, ${authorityLeaseMs}`);
  }
  if (drainMaxMs <= drainAtRestMs) {
    mistakes.push(`failover.drainMaxMs: ${drainMaxMs} is over before a follower is at rest, ${drainAtRestMs}`);
  }
  return mistakes;
}
