import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ClockSkewGuard } from '@evergrant/authority-store/clock-skew-guard';
import { DynamoAuthorityStore } from '@evergrant/controller/aws/authority-store';
import { DynamoControlStore } from '@evergrant/controller/aws/control-store';
import { AWS_REGION_OF, deploymentNames } from '@evergrant/controller/aws/resource-names';
import { sdkSettings } from '@evergrant/controller/aws/sdk';
import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import { STANDBY_REGION } from '@evergrant/core/regions';
import type { OperatorTarget } from '../target';

export interface AwsTargetOptions {
  /** As in deployment.config.ts. */
  readonly deployment: string;
}

/**
 * Opens the authority table of the deployed regions, through Virginia's replica and the caller's AWS credentials. A
 * request to the controller waits in the table for the next scheduled cycle, at most a minute.
 */
export async function openAwsTarget({ deployment }: AwsTargetOptions): Promise<OperatorTarget> {
  const client = new DynamoDBClient(sdkSettings(AWS_REGION_OF[STANDBY_REGION]));
  const nowMs = (): number => Date.now();
  const clock = new ClockSkewGuard({ nowMs, skewMs: DEFAULT_POLICY.skewMs });
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
