import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RDSClient } from '@aws-sdk/client-rds';
import { Rds } from '../src/aws/database-service';
import type { FollowerSettings } from '../src/aws/follower-settings';
import type { RegionResourceRegistry } from '../src/aws/region-resources';
import { deploymentNames } from '../src/aws/resource-names';
import { sdkSettings } from '../src/aws/sdk';

let server: Server;
let rds: Rds;
let status = 'available';
/** RDS's error for a promotion. Undefined: RDS accepts it. */
let fault: string | undefined;
let asked: string[] = [];
/** The source of the replica; empty: the instance is a primary database. */
let source = 'its-source';

beforeAll(async () => {
  server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const action = String(new URLSearchParams(Buffer.concat(chunks).toString('utf8')).get('Action'));
      asked.push(action);
      if (action === 'PromoteReadReplica' && fault !== undefined) {
        const error = `<Error><Type>Sender</Type><Code>${fault}</Code><Message>not now</Message></Error>`;
        outgoing.writeHead(400, { 'content-type': 'text/xml' }).end(`<ErrorResponse>${error}</ErrorResponse>`);
        return;
      }
      const instance =
        `<DBInstanceStatus>${status}</DBInstanceStatus>` +
        `<ReadReplicaSourceDBInstanceIdentifier>${source}</ReadReplicaSourceDBInstanceIdentifier>`;
      const instances = `<DBInstances><DBInstance>${instance}</DBInstance></DBInstances>`;
      const result = `<${action}Result>${instances}</${action}Result>`;
      outgoing.writeHead(200, { 'content-type': 'text/xml' }).end(`<${action}Response>${result}</${action}Response>`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new RDSClient({
    ...sdkSettings('us-east-1'),
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const settings = { backupRetentionDays: 14 } as FollowerSettings;
  rds = new Rds({
    clients: { oregon: client, virginia: client },
    resources: {} as RegionResourceRegistry,
    names: deploymentNames('evergrant'),
    account: '111122223333',
    follower: { oregon: settings, virginia: settings },
    nowMs: () => 0,
  });
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  fault = undefined;
  source = 'its-source';
  asked = [];
});

describe('promotion', () => {
  it.each(['modifying', 'rebooting'])('passes through %s without a second request', async (seen) => {
    status = seen;
    await rds.promote('virginia');
    expect(asked).toEqual(['DescribeDBInstances']);
  });

  it.each(['available', 'storage-optimization', 'backing-up', 'a-status-of-tomorrow'])(
    'is requested while the follower is %s, and RDS decides whether it promotes',
    async (seen) => {
      status = seen;
      await rds.promote('virginia');
      expect(asked).toEqual(['DescribeDBInstances', 'PromoteReadReplica']);
    },
  );

  it('is requested again by a later cycle, not at once, when RDS refuses it in this state', async () => {
    status = 'backing-up';
    fault = 'InvalidDBInstanceState';
    await expect(rds.promote('virginia')).rejects.toMatchObject({ retryable: true });
    expect(asked).toEqual(['DescribeDBInstances', 'PromoteReadReplica']);
  });

  it('reports a permanent refusal of RDS as not retryable', async () => {
    fault = 'InvalidParameterValue';
    await expect(rds.promote('virginia')).rejects.toMatchObject({ retryable: false });
  });
});

describe('archive', () => {
  it('promotes a follower first, so that it is cut off before it gets another name', async () => {
    status = 'available';
    await rds.archive('virginia');
    expect(asked.filter((action) => action !== 'DescribeDBInstances')).toEqual(['PromoteReadReplica']);
  });

  it('waits while the promotion is in progress', async () => {
    status = 'modifying';
    await rds.archive('virginia');
    expect(new Set(asked)).toEqual(new Set(['DescribeDBInstances']));
  });

  it('renames a database that follows nothing', async () => {
    status = 'available';
    source = '';
    await rds.archive('virginia');
    expect(asked).toEqual(['DescribeDBInstances', 'ModifyDBInstance']);
  });

  it('renames a follower that RDS reports as failed: it streams no more, and cannot be promoted', async () => {
    status = 'storage-full';
    await rds.archive('virginia');
    expect(asked).toEqual(['DescribeDBInstances', 'ModifyDBInstance']);
  });
});
