import { GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { stringAttribute } from '@evergrant/authority-store/authority-table';
import { type CustomResourceHandler, property } from './custom-resource';

/** Properties that control the call, and are not published. */
const NOT_PUBLISHED = new Set(['ServiceToken', 'ServiceTimeout', 'kind', 'awsRegion', 'table', 'name', 'wanted']);

/**
 * Publishes the resources of a region: addresses and ARNs of its infrastructure, never its role. Unlike the seeds, they are
 * written again when they change.
 */
export const publishRegionResources: CustomResourceHandler = async (properties, { dynamo }) => {
  const published = Object.entries(properties).filter(
    (entry): entry is [string, string] => !NOT_PUBLISHED.has(entry[0]),
  );
  const update = new UpdateItemCommand({
    TableName: property(properties, 'table'),
    Key: resourceKey(property(properties, 'name')),
    UpdateExpression: `SET ${published.map((_, index) => `#n${index} = :v${index}`).join(', ')}`,
    ExpressionAttributeNames: Object.fromEntries(published.map(([name], index) => [`#n${index}`, name])),
    ExpressionAttributeValues: Object.fromEntries(
      published.map(([, value], index) => [`:v${index}`, stringAttribute(value)]),
    ),
  });
  await dynamo.send(update);
  return {};
};

/** Reads the published resources of another region: the attributes named in `wanted`, separated by commas. */
export const readRegionResources: CustomResourceHandler = async (properties, { dynamo }) => {
  const name = property(properties, 'name');
  const get = new GetItemCommand({
    TableName: property(properties, 'table'),
    Key: resourceKey(name),
    ConsistentRead: true,
  });
  const { Item: item } = await dynamo.send(get);
  const found: Record<string, string> = {};
  for (const wanted of property(properties, 'wanted').split(',')) {
    const value = item?.[wanted]?.S;
    if (value === undefined) throw new Error(`${name} has not published its ${wanted}: deploy its stack first`);
    found[wanted] = value;
  }
  return found;
};

function resourceKey(name: string): { pk: { S: string }; sk: { S: string } } {
  return { pk: { S: 'region' }, sk: { S: name } };
}
