import { pauseMaxMs } from '@evergrant/controller/aws/schedule';
import { DEFAULT_POLICY, type Policy } from '@evergrant/controller/core/policy';
import { addressPlanErrors } from './address-plan';
import type { DeploymentConfig } from './deployment-config';
import { memoryError } from './fargate-sizes';

/** How often a server renews its authority, in milliseconds. */
export const RENEWAL_EVERY_MS = 5_000;
/** After three missed renewals in a row, the remaining lease still allows a fourth try. */
const LEASE_MIN_MS = 4 * RENEWAL_EVERY_MS;
/** Minimum distance that RDS requires between the allocated storage and its limit, in percent of the storage. */
const STORAGE_HEADROOM_PERCENT = 10;
/** Maximum length of the first name of a certificate (ACM). */
const PUBLIC_NAME_MAX = 64;

/** A configuration without the values that do not match their schema. Rules ignore missing values. */
export type ValidPart<Value> = Value extends readonly unknown[]
  ? Value
  : Value extends object
    ? { readonly [Key in keyof Value]?: ValidPart<Value[Key]> }
    : Value;

/** The validation errors that involve several settings. */
export function crossFieldErrors(config: ValidPart<DeploymentConfig>): string[] {
  const { domain = {}, network = {}, database = {}, service = {}, thresholds = {}, failover = {} } = config;
  return [
    ...domainErrors(domain),
    ...addressPlanErrors(network),
    ...storageErrors(database, thresholds.slotLagMiB),
    ...serviceErrors(service),
    ...failoverErrors({ ...DEFAULT_POLICY, ...failover }),
  ];
}

function domainErrors({ publicName, zoneName }: ValidPart<DeploymentConfig['domain']>): string[] {
  if (publicName === undefined) return [];
  const errors: string[] = [];
  if (publicName.length > PUBLIC_NAME_MAX) {
    errors.push(`domain.publicName: has ${publicName.length} characters; a certificate allows ${PUBLIC_NAME_MAX}`);
  }
  if (zoneName !== undefined && publicName !== zoneName && !publicName.endsWith(`.${zoneName}`)) {
    errors.push(`domain.publicName: ${publicName} is not in the zone ${zoneName}`);
  }
  return errors;
}

function storageErrors(
  { storageGiB, storageMaxGiB }: ValidPart<DeploymentConfig['database']>,
  slotLagMiB: number | undefined,
): string[] {
  if (storageGiB === undefined) return [];
  const errors: string[] = [];
  const leastGiB = Math.ceil((storageGiB * (100 + STORAGE_HEADROOM_PERCENT)) / 100);
  if (storageMaxGiB !== undefined && storageMaxGiB < leastGiB) {
    errors.push(
      `database.storageMaxGiB: ${storageMaxGiB} must be at least ${leastGiB} (${STORAGE_HEADROOM_PERCENT} % above storageGiB)`,
    );
  }
  // The maximum size of the slot is twice the alarm threshold.
  if (slotLagMiB !== undefined && 2 * slotLagMiB >= 1_024 * storageGiB) {
    errors.push(
      `thresholds.slotLagMiB: must be below ${512 * storageGiB} MiB (half of storageGiB): a disconnected replica's slot can retain twice this value`,
    );
  }
  return errors;
}

function serviceErrors({ cpu, memoryMiB, tasksMin, tasksMax }: ValidPart<DeploymentConfig['service']>): string[] {
  const errors: string[] = [];
  const memory = cpu === undefined || memoryMiB === undefined ? undefined : memoryError(cpu, memoryMiB);
  if (memory !== undefined) errors.push(`service.memoryMiB: ${memory}`);
  if (tasksMin !== undefined && tasksMax !== undefined && tasksMax < tasksMin) {
    errors.push(`service.tasksMax: ${tasksMax} must not be below service.tasksMin (${tasksMin})`);
  }
  return errors;
}

function failoverErrors(policy: Policy): string[] {
  const { sampleEveryMs, sampleGapMaxMs, samplesToConfirm, authorityLeaseMs, skewMs, drainMaxMs, drainAtRestMs } =
    policy;
  const errors: string[] = [];
  if (samplesToConfirm < 2)
    errors.push('failover.samplesToConfirm: must be at least 2: a single sample is not enough evidence');
  // The schedule starts once a minute, with some variation.
  if (sampleEveryMs > 10_000)
    errors.push('failover.sampleEveryMs: must be at most 10000: five samples must fit into a minute');
  const leastMs = pauseMaxMs(sampleEveryMs);
  if (sampleGapMaxMs <= leastMs) {
    errors.push(
      `failover.sampleGapMaxMs: must be longer than ${leastMs}, the longest pause between two invocations of the schedule`,
    );
  }
  if (authorityLeaseMs < LEASE_MIN_MS) {
    errors.push(
      `failover.authorityLeaseMs: must be at least ${LEASE_MIN_MS}: ${authorityLeaseMs} is too short for three missed renewals (one every ${RENEWAL_EVERY_MS})`,
    );
  }
  if (skewMs >= authorityLeaseMs && authorityLeaseMs >= LEASE_MIN_MS) {
    errors.push(`failover.skewMs: ${skewMs} must be below failover.authorityLeaseMs (${authorityLeaseMs})`);
  }
  if (drainMaxMs <= drainAtRestMs) {
    errors.push(`failover.drainMaxMs: ${drainMaxMs} must be above failover.drainAtRestMs (${drainAtRestMs})`);
  }
  return errors;
}
