import { GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { text } from '@evergrant/authority-store/authority-table';
import { property, type SetupWork } from './custom-resource';

/** Properties that say where and how, not what a place says of itself. */
const OURS = new Set(['ServiceToken', 'ServiceTimeout', 'kind', 'awsRegion', 'table', 'name', 'wanted']);

/**
 * Writes what a place says of itself: addresses and ARNs of its infrastructure, never a role. It is the one thing that
 * is written again when it changes.
 */
export const introduce: SetupWork = async (properties, { dynamo }) => {
  const said = Object.entries(properties).filter((entry): entry is [string, string] => !OURS.has(entry[0]));
  const update = new UpdateItemCommand({
    TableName: property(properties, 'table'),
    Key: placeKey(property(properties, 'name')),
    UpdateExpression: `SET ${said.map((_, index) => `#n${index} = :v${index}`).join(', ')}`,
    ExpressionAttributeNames: Object.fromEntries(said.map(([name], index) => [`#n${index}`, name])),
    ExpressionAttributeValues: Object.fromEntries(said.map(([, value], index) => [`:v${index}`, text(value)])),
  });
  await dynamo.send(update);
  return {};
};

/** Reads what another place has said of itself: the attributes named in `wanted`, separated by commas. */
export const lookUp: SetupWork = async (properties, { dynamo }) => {
  const name = property(properties, 'name');
  const get = new GetItemCommand({
    TableName: property(properties, 'table'),
    Key: placeKey(name),
    ConsistentRead: true,
  });
  const { Item: item } = await dynamo.send(get);
  const found: Record<string, string> = {};
  for (const wanted of property(properties, 'wanted').split(',')) {
    const value = item?.[wanted]?.S;
    if (value === undefined) throw new Error(`${name} has not said its ${wanted}: deploy its stack first`);
    found[wanted] = value;
  }
  return found;
};

function placeKey(name: string): { pk: { S: string }; sk: { S: string } } {
  return { pk: { S: 'region' }, sk: { S: name } };
}
