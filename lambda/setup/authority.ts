import { ConditionalCheckFailedException, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { AUTHORITY_KEY, CONTROL_KEY, type Item, number, text } from '@evergrant/authority-store/authority-table';
import { initialControl } from '@evergrant/controller/core/control-record';
import { toStoredJson } from '@evergrant/controller/core/stored-json';
import { type CustomResourceHandler, property } from './custom-resource';

/** A new deployment starts in Oregon, in epoch 1, open. The automation is paused until an operator has tested a failover. */
export const seedAuthority: CustomResourceHandler = async (properties, { dynamo }) => {
  const table = property(properties, 'table');
  const nowMs = Date.now();
  const authority = { epoch: number(1), region: text('oregon'), latchedAtMs: number(nowMs), opensAtMs: number(nowMs) };
  const automation = { state: 'paused', by: 'setup', reason: 'a new deployment', sinceMs: nowMs } as const;
  const record = toStoredJson({ ...initialControl(nowMs), automation });
  const control = { version: number(1), record: text(record), tail: text('[]'), lastId: number(0) };
  const putIfNone = async (item: Item): Promise<void> => {
    const put = new PutItemCommand({
      TableName: table,
      Item: { ...item },
      ConditionExpression: 'attribute_not_exists(pk)',
    });
    try {
      await dynamo.send(put);
    } catch (failure) {
      if (!(failure instanceof ConditionalCheckFailedException)) throw failure;
    }
  };
  await putIfNone({ ...AUTHORITY_KEY, ...authority });
  await putIfNone({ ...CONTROL_KEY, ...control });
  return {};
};
