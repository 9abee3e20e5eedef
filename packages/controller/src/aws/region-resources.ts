import { type DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { type Item, regionKey, textOf } from '@evergrant/authority-store/authority-table';
import { OperatingError } from '@evergrant/core/operating-error';
import type { Region } from '@evergrant/core/regions';
import { awsCall } from './sdk';

/**
 * The resources of a region, as its stack publishes them in the authority table. The other region can read them there
 * when the first one is down. The record has only what cannot be derived from names: ARNs and addresses with random parts.
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
  /** Route tables of the database's subnets, separated by commas. */
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

/** Reads the records, each once per process: they change only with a deployment, which starts new processes. */
export class RegionResourceRegistry {
  readonly #client: DynamoDBClient;
  readonly #table: string;
  readonly #known = new Map<Region, RegionResourceRecord>();

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  /** @throws OperatingError if the table does not answer, or the region's record is incomplete */
  async of(region: Region): Promise<RegionResourceRecord> {
    const known = this.#known.get(region);
    if (known !== undefined) return known;
    const get = new GetItemCommand({ TableName: this.#table, Key: regionKey(region), ConsistentRead: true });
    const { Item: item } = await awsCall(`the resources of ${region}`, this.#client.send(get));
    const record = recordOf(item, region);
    this.#known.set(region, record);
    return record;
  }

  /** Forgets a record that may be outdated: the next call reads it again. */
  forget(region: Region): void {
    this.#known.delete(region);
  }
}

function recordOf(item: Item | undefined, region: Region): RegionResourceRecord {
  const missing = REGION_RESOURCE_FIELDS.filter((name) => textOf(item, name) === undefined);
  if (missing.length > 0) {
    const message = `${region} has not published its resources (${missing.join(', ')} missing): is its stack deployed?`;
    throw new OperatingError({ code: 'region_not_registered', message, retryable: true });
  }
  return Object.fromEntries(
    REGION_RESOURCE_FIELDS.map((name) => [name, textOf(item, name)]),
  ) as unknown as RegionResourceRecord;
}
