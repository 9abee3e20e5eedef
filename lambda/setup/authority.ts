import { ConditionalCheckFailedException, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  AUTHORITY_KEY,
  CONTROL_KEY,
  type Item,
  numberAttribute,
  stringAttribute,
} from '@evergrant/authority-store/authority-table';
import { initialControl } from '@evergrant/controller/core/control-record';
import { toStoredJson } from '@evergrant/controller/core/stored-json';
import { type CustomResourceHandler, property } from './custom-resource';

/** A new deployment starts in Oregon, in epoch 1, open. The automation is paused until an operator has tested a failover. */
export const seedAuthority: CustomResourceHandler = async (properties, { dynamo }) => {
  const table = property(properties, 'table');
  const nowMs = Date.now();
  const authority = {
    epoch: numberAttribute(1),
    region: stringAttribute('oregon'),
    latchedAtMs: numberAttribute(nowMs),
    opensAtMs: numberAttribute(nowMs),
  };
  const automation = { state: 'paused', by: 'setup', reason: 'a new deployment', sinceMs: nowMs } as const;
  const record = toStoredJson({ ...initialControl(nowMs), automation });
  const control = {
    version: numberAttribute(1),
    record: stringAttribute(record),
    tail: stringAttribute('[]'),
    lastId: numberAttribute(0),
  };
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
