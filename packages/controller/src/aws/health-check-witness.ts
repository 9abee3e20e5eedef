import {
  GetHealthCheckStatusCommand,
  type HealthCheckObservation,
  HealthCheckRegion,
  type Route53Client,
} from '@aws-sdk/client-route-53';
import { OperatingError } from '@evergrant/core/operating-error';
import { PRIMARY_REGION, type Region } from '@evergrant/core/regions';
import { down, type Fact, unknown, up } from '../core/facts';
import type { WitnessPort } from '../ports';
import { AWS_REGION_OF } from './resource-names';
import { awsCall } from './sdk';

export interface HealthCheckWitnessOptions {
  readonly client: Route53Client;
  readonly healthCheckId: string;
  readonly nowMs: () => number;
}

/** Observations older than this are ignored. */
const FRESH_MS = 90_000;
/** With fewer fresh observations the witness is unknown. */
const OBSERVERS_MIN = 3;
/** Route 53's rule: an endpoint is healthy when more than 18 % of the checkers report it healthy. */
const HEALTHY_SHARE = 0.18;

/** The regions of the deployment. A checker inside a region reaches its servers even when the world does not. */
const OWN_REGIONS: readonly string[] = Object.values(AWS_REGION_OF);

/** The regions that the health check names. Without a list Route 53 checks from all regions, the watched one included. */
export const CHECKER_REGIONS: readonly HealthCheckRegion[] = Object.values(HealthCheckRegion).filter(
  (region) => !OWN_REGIONS.includes(region),
);

/**
 * A Route 53 health check of Oregon's application, attached to no record. It has about a dozen checkers outside the
 * regions of the deployment. When most of them report healthy, the reading is up; when none does, down. Between these the checkers
 * disagree, and the reading is unknown.
 */
export class HealthCheckWitness implements WitnessPort {
  readonly #options: HealthCheckWitnessOptions;

  constructor(options: HealthCheckWitnessOptions) {
    this.#options = options;
  }

  async view(region: Region): Promise<Fact> {
    if (region !== PRIMARY_REGION) return unknown(`the witness does not watch ${region}`);
    const { client, healthCheckId, nowMs } = this.#options;
    try {
      const get = new GetHealthCheckStatusCommand({ HealthCheckId: healthCheckId });
      const { HealthCheckObservations: all = [] } = await awsCall('the witness', client.send(get));
      return judgeObservations(all, nowMs());
    } catch (failure) {
      if (!(failure instanceof OperatingError)) throw failure;
      return unknown(failure.message);
    }
  }
}

/** Observations from the deployment's own regions do not count. */
export function judgeObservations(observations: readonly HealthCheckObservation[], nowMs: number): Fact {
  const fresh = observations.filter(({ Region: from, StatusReport: report }) => {
    if (from !== undefined && OWN_REGIONS.includes(from)) return false;
    return report?.CheckedTime !== undefined && nowMs - new Date(report.CheckedTime).getTime() <= FRESH_MS;
  });
  if (fresh.length < OBSERVERS_MIN) return unknown(`the witness has ${fresh.length} fresh observations`);
  const healthy = fresh.filter(({ StatusReport: report }) => report?.Status?.startsWith('Success') === true);
  const reason = `the witness: ${healthy.length} of ${fresh.length} checkers reach it`;
  if (healthy.length / fresh.length > HEALTHY_SHARE) return up(reason);
  return healthy.length === 0 ? down(reason) : unknown(reason);
}
