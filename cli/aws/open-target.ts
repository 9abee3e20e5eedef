import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoAuthorityStore } from '../../lambda/failover/aws/authority-store';
import { DynamoControlStore } from '../../lambda/failover/aws/control-store';
import { AWS_REGION_OF, deploymentNames } from '../../lambda/failover/aws/deployment';
import { sdkSettings } from '../../lambda/failover/aws/sdk';
import { StoreClock } from '../../lambda/failover/aws/store-clock';
import { DEFAULT_POLICY } from '../../lambda/failover/core/policy';
import { STANDBY_REGION } from '../../lambda/failover/core/regions';
import type { OperatorTarget } from '../operator-target';

export interface AwsTargetOptions {
  /** As in deployment.config.ts. */
  readonly deployment: string;
}

/**
 * The deployed regions: the authority table, as Virginia's copy has it, with the AWS credentials of whoever asks. What
 * is asked of the controller waits there for its next cycle, which the schedule brings within a minute.
 */
export async function openAwsTarget({ deployment }: AwsTargetOptions): Promise<OperatorTarget> {
  const client = new DynamoDBClient(sdkSettings(AWS_REGION_OF[STANDBY_REGION]));
  const nowMs = (): number => Date.now();
  const clock = new StoreClock({ nowMs, skewMs: DEFAULT_POLICY.skewMs });
  clock.watch(client);
  const table = deploymentNames(deployment).authorityTable;
  return {
    ports: {
      authority: new DynamoAuthorityStore({ client, table, clock }),
      control: new DynamoControlStore({ client, table, nowMs }),
      clock: { nowMs, newId: randomUUID },
    },
    close: async () => client.destroy(),
  };
}
