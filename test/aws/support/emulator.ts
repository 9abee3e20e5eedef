import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { CreateTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ChangeResourceRecordSetsCommand, type Route53Client } from '@aws-sdk/client-route-53';
import { eventually } from '@evergrant/test-support/eventually';
import { freePort } from './machinery';

export const ACCOUNT = '111122223333';
export const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };

export interface Emulator {
  readonly endpoint: string;
  /** State that the tests can read and set beside the API. */
  readonly control: string;
  close(): void;
}

/** Our model of AWS without resources. It posts operations that it only records to `hooks`. */
export async function startEmulator(hooks: string): Promise<Emulator> {
  const [port, controlPort] = [await freePort(), await freePort()];
  const python = process.env.EVERGRANT_MODEL_PYTHON;
  if (python === undefined) throw new Error('there is no emulator: run these tests with npm run test:aws');
  const script = join(__dirname, '../model/aws_model.py');
  // A file on request, because the log of the emulator is long.
  const logFile = process.env.EVERGRANT_MODEL_LOG;
  const log = logFile === undefined ? 'ignore' : openSync(logFile, 'a');
  const child = spawn(python, [script, String(port), String(controlPort), hooks], {
    env: { PATH: process.env.PATH, MOTO_ACCOUNT_ID: ACCOUNT, ...CREDENTIALS },
    stdio: ['ignore', log, log],
  });
  const [endpoint, control] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${controlPort}/`];
  const up = async (): Promise<boolean> =>
    (await fetch(`${endpoint}/moto-api/`).catch(() => null)) !== null &&
    (await fetch(control).catch(() => null)) !== null;
  await eventually('the emulator answers', up, { deadlineMs: 60_000, everyMs: 200 });
  return { endpoint, control, close: () => child.kill('SIGKILL') };
}

/** The record of one region, as its stack creates it: an alias of the load balancer, which is in a zone of AWS. */
export async function createRegionalRecord(route53: Route53Client, hostedZoneId: string, name: string): Promise<void> {
  const target = { HostedZoneId: 'Z1H1FL5HABSF5', DNSName: 'evergrant.elb.amazonaws.com', EvaluateTargetHealth: false };
  const record = { Name: name, Type: 'A', AliasTarget: target } as const;
  const change = new ChangeResourceRecordSetsCommand({
    HostedZoneId: hostedZoneId,
    ChangeBatch: { Changes: [{ Action: 'CREATE', ResourceRecordSet: record }] },
  });
  await route53.send(change);
}

/** The value of the template. */
export async function createAuthorityTable(dynamo: DynamoDBClient, name: string): Promise<void> {
  const create = new CreateTableCommand({
    TableName: name,
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'S' },
    ],
  });
  await dynamo.send(create);
}
