import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateHostedZoneCommand, ListResourceRecordSetsCommand, Route53Client } from '@aws-sdk/client-route-53';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import {
  AssociateWebACLCommand,
  CreateWebACLCommand,
  GetWebACLForResourceCommand,
  WAFV2Client,
} from '@aws-sdk/client-wafv2';
import { ClockSkewGuard } from '@evergrant/authority-store/clock-skew-guard';
import { DynamoAuthorityStore } from '@evergrant/controller/aws/authority-store';
import { PublicRecord } from '@evergrant/controller/aws/public-record';
import { REGIONS } from '@evergrant/core/regions';
import { seedAssociation } from '../../lambda/setup/association';
import { seedAuthority } from '../../lambda/setup/authority';
import { seedPublicRecord } from '../../lambda/setup/public-record';
import { publishRegionResources, readRegionResources } from '../../lambda/setup/publish-region-resources';
import { seedSigningKeys } from '../../lambda/setup/signing-keys';
import { createAuthorityTable, createRegionalRecord, type Emulator, startEmulator } from './support/emulator';

const LOAD_BALANCER = 'arn:aws:elasticloadbalancing:us-west-2:111122223333:loadbalancer/app/evergrant/0123456789abcdef';
const table = 'authority';
let emulator: Emulator;
let clients: { dynamo: DynamoDBClient; waf: WAFV2Client; secrets: SecretsManagerClient; route53: Route53Client };

beforeEach(async () => {
  emulator = await startEmulator('http://127.0.0.1:1');
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const settings = { region: 'us-west-2', credentials, endpoint: emulator.endpoint };
  clients = {
    dynamo: new DynamoDBClient(settings),
    waf: new WAFV2Client(settings),
    secrets: new SecretsManagerClient(settings),
    route53: new Route53Client(settings),
  };
  await createAuthorityTable(clients.dynamo, table);
  await seedAuthority({ table }, clients);
}, 120_000);

afterEach(() => emulator?.close());

function authority(): DynamoAuthorityStore {
  const clock = new ClockSkewGuard({ nowMs: () => Date.now(), skewMs: 60_000 });
  clock.watch(clients.dynamo);
  return new DynamoAuthorityStore({ client: clients.dynamo, table, clock });
}

/** Each custom resource runs when its stack is created, and again when its properties change. */
describe('in our model of AWS, the setup function', () => {
  it('does not change an existing authority record', async () => {
    await authority().latch({ fromEpoch: 1, region: 'virginia', operationId: 'op' });
    await seedAuthority({ table }, clients);
    expect(await authority().read()).toMatchObject({ epoch: 2, region: 'virginia' });
  });

  it('associates the serving web ACL in the active region and the fence elsewhere, and keeps an existing one', async () => {
    const arns: Record<string, string> = {};
    for (const name of ['serve', 'fence']) {
      const create = new CreateWebACLCommand({
        Name: name,
        Scope: 'REGIONAL',
        DefaultAction: { Allow: {} },
        VisibilityConfig: { SampledRequestsEnabled: false, CloudWatchMetricsEnabled: false, MetricName: name },
      });
      arns[name] = String((await clients.waf.send(create)).Summary?.ARN);
    }
    const { serve = '', fence = '' } = arns;
    const seed = (region: string, loadBalancerArn: string) =>
      seedAssociation({ table, region, loadBalancerArn, serveAclArn: serve, fenceAclArn: fence }, clients);
    const associated = async (loadBalancerArn: string) =>
      (await clients.waf.send(new GetWebACLForResourceCommand({ ResourceArn: loadBalancerArn }))).WebACL?.ARN;
    await seed('oregon', LOAD_BALANCER);
    expect(await associated(LOAD_BALANCER)).toBe(serve);
    await seed('virginia', `${LOAD_BALANCER}2`);
    expect(await associated(`${LOAD_BALANCER}2`)).toBe(fence);
    // The controller has fenced Oregon, and then the stack is updated.
    await clients.waf.send(new AssociateWebACLCommand({ ResourceArn: LOAD_BALANCER, WebACLArn: fence }));
    await seed('oregon', LOAD_BALANCER);
    expect(await associated(LOAD_BALANCER)).toBe(fence);
  });

  it('creates the public record with Oregon as target, and keeps another target', async () => {
    const zone = await clients.route53.send(new CreateHostedZoneCommand({ Name: 'example.com', CallerReference: '1' }));
    const hostedZoneId = String(zone.HostedZone?.Id?.split('/').at(-1));
    const properties = { publicName: 'licenses.example.com', hostedZoneId };
    const target = async () => {
      const list = new ListResourceRecordSetsCommand({ HostedZoneId: hostedZoneId });
      const { ResourceRecordSets: found = [] } = await clients.route53.send(list);
      return found
        .filter(({ Type, Name }) => Type === 'A' && Name === `${properties.publicName}.`)
        .map(({ AliasTarget: alias }) => alias?.DNSName?.replace(/\.$/, ''));
    };
    const { route53: client } = clients;
    // Route 53 refuses an alias to a missing record.
    await expect(seedPublicRecord(properties, clients)).rejects.toThrow('that target was not found');
    for (const region of REGIONS) {
      await createRegionalRecord(client, hostedZoneId, `${region}.${properties.publicName}`);
    }
    await seedPublicRecord(properties, clients);
    expect(await target()).toEqual(['oregon.licenses.example.com']);
    await new PublicRecord({ client, ...properties, timeoutMs: 1_000 }).pointTo('virginia');
    await seedPublicRecord(properties, clients);
    expect(await target()).toEqual(['virginia.licenses.example.com']);
  });

  it('adds a signing key to the secret, and keeps an existing one', async () => {
    await clients.secrets.send(new CreateSecretCommand({ Name: 'server', SecretString: '{"databasePassword":"p"}' }));
    const content = async () => {
      const { SecretString: text } = await clients.secrets.send(new GetSecretValueCommand({ SecretId: 'server' }));
      return JSON.parse(text ?? '') as { databasePassword: string; signingKeys: { keys: { kid: string }[] } };
    };
    await seedSigningKeys({ secretId: 'server' }, clients);
    const first = await content();
    expect(first).toMatchObject({ databasePassword: 'p', signingKeys: { keys: [{ kty: 'OKP', crv: 'Ed25519' }] } });
    const withAnother = JSON.stringify({ ...first, deploymentKeys: { keys: [] } });
    await clients.secrets.send(new PutSecretValueCommand({ SecretId: 'server', SecretString: withAnother }));
    await seedSigningKeys({ secretId: 'server' }, clients);
    expect(await content()).toEqual(JSON.parse(withAnother));
  });

  it('publishes region resources, updates them after a change, and names the stack to deploy first when they are missing', async () => {
    const where = { table, name: 'oregon' };
    await expect(readRegionResources({ ...where, wanted: 'vpcId' }, clients)).rejects.toThrow('deploy its stack first');
    await publishRegionResources({ ...where, kind: 'introduction', vpcId: 'vpc-1', databaseHost: 'a' }, clients);
    await publishRegionResources({ ...where, vpcId: 'vpc-1', databaseHost: 'b' }, clients);
    expect(await readRegionResources({ ...where, wanted: 'vpcId,databaseHost' }, clients)).toEqual({
      vpcId: 'vpc-1',
      databaseHost: 'b',
    });
  });
});
