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
        '<ReadReplicaSourceDBInstanceIdentifier>its-source</ReadReplicaSourceDBInstanceIdentifier>';
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
