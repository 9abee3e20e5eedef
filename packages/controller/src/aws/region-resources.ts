import { type DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { type Item, regionKey, textOf } from '@evergrant/authority-store/authority-table';
import { OperatingError } from '@evergrant/core/operating-error';
import type { Region } from '@evergrant/core/regions';
import { awsCall } from './sdk';

/**
 * What a region's stack says of itself in the authority table, where the other region can read it even when the first
 * one is dead. Only what no name predicts: ARNs and addresses with random parts.
 */
export interface RegionResourceRecord {
  readonly loadBalancerArn: string;
  readonly serveAclArn: string;
  readonly fenceAclArn: string;
  readonly databaseHost: string;
  readonly databasePort: string;
  readonly databaseSecurityGroupId: string;
  readonly databaseKeyArn: string;
  readonly vpcId: string;
  /** Route tables of the subnets in which the database stands, separated by commas. */
  readonly databaseRouteTableIds: string;
}

export const REGION_RESOURCE_FIELDS = [
  'loadBalancerArn',
  'serveAclArn',
  'fenceAclArn',
  'databaseHost',
  'databasePort',
  'databaseSecurityGroupId',
  'databaseKeyArn',
  'vpcId',
  'databaseRouteTableIds',
] as const satisfies readonly (keyof RegionResourceRecord)[];

/** Reads the introductions, each once a container: they change only with a deployment, which starts new ones. */
export class RegionResourceRegistry {
  readonly #client: DynamoDBClient;
  readonly #table: string;
  readonly #known = new Map<Region, RegionResourceRecord>();

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  /** @throws OperatingError when the table does not answer, or the region has not introduced itself wholly */
  async of(region: Region): Promise<RegionResourceRecord> {
    const known = this.#known.get(region);
    if (known !== undefined) return known;
    const get = new GetItemCommand({ TableName: this.#table, Key: regionKey(region), ConsistentRead: true });
    const { Item: item } = await awsCall(`${region}'s introduction`, this.#client.send(get));
    const introduction = introductionOf(item, region);
    this.#known.set(region, introduction);
    return introduction;
  }

  /** What was read may be out of date: the next one who asks reads it again. */
  forget(region: Region): void {
    this.#known.delete(region);
  }
}

function introductionOf(item: Item | undefined, region: Region): RegionResourceRecord {
  const missing = REGION_RESOURCE_FIELDS.filter((name) => textOf(item, name) === null);
  if (missing.length > 0) {
    const message = `${region} has not introduced itself (${missing.join(', ')} missing): has its stack been deployed?`;
    throw new OperatingError({ code: 'region_not_introduced', message, retryable: true });
  }
  return Object.fromEntries(
    REGION_RESOURCE_FIELDS.map((name) => [name, textOf(item, name)]),
  ) as unknown as RegionResourceRecord;
}
