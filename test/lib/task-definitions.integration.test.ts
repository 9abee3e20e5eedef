import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';
import { REGIONS } from '@evergrant/core/regions';
import { readServerEnvironment } from '@evergrant/server/config/environment';
import { readMigrationEnvironment } from '@evergrant/server/config/migration-environment';
import { KEEP_ALIVE_MS } from '@evergrant/server/platform/http/create-fastify';
import { config } from '../../deployment.config';
import { seedSigningKeys } from '../../lambda/setup/signing-keys';
import { ofType, type Synthesized, synthesize } from './support/synthesized';

/** Variables that the servers support and that are not set on AWS, because the defaults are right there. */
const LEFT_ALONE: Readonly<Record<string, string>> = {
  EVERGRANT_SECRETS_FILE: 'EVERGRANT_SECRETS is injected instead',
  EVERGRANT_LICENSE_TRUST_FILE: 'EVERGRANT_LICENSE_TRUST is injected instead',
  EVERGRANT_SERVER: 'tasks come and go: each is called after its host',
  EVERGRANT_ADDRESS: 'nobody calls one task; the load balancer chooses',
  EVERGRANT_TLS_CERTIFICATE_FILE: 'the load balancer ends TLS',
  EVERGRANT_TLS_KEY_FILE: 'the load balancer ends TLS',
  EVERGRANT_TLS_CLIENT_CA_FILE: 'the load balancer ends TLS',
  EVERGRANT_CONNECTIONS_MAX: 'the default is for a server behind a load balancer too',
  EVERGRANT_RATE_PER_CONTROL_ROOM: 'the default; the web ACL limits addresses before',
  EVERGRANT_RATE_PER_TOKEN: 'the default',
  EVERGRANT_RATE_PER_ADDRESS: 'the default',
  EVERGRANT_REFUSALS_PER_ADDRESS: 'the default',
  EVERGRANT_LICENSE_KEY_ATTEMPTS_PER_ADDRESS: 'the default',
  EVERGRANT_CHECKPOINT_EVERY_MS: 'the default',
  EVERGRANT_UNPROTECTED_AFTER_MS: 'the default, which docs/safety.md reckons with',
  EVERGRANT_LOG_LEVEL: 'the default',
  EVERGRANT_TOKENS_FILE: 'one token is injected, with which an administrator makes the others',
  EVERGRANT_DATABASE_OTHER_HOSTS: 'the active region is deployed first',
  EVERGRANT_LICENSE_FILES: 'licenses are imported through the servers',
};

interface Container {
  readonly Name: string;
  readonly Essential: boolean;
  readonly Command?: readonly string[];
  readonly DependsOn?: readonly object[];
  readonly HealthCheck?: { readonly Command: readonly string[] };
  readonly Environment: readonly { readonly Name: string; readonly Value: unknown }[];
  readonly Secrets: readonly { readonly Name: string }[];
}

const PASSWORD = 'a-password-of-40-characters-and-no-signs';
let app: Synthesized;
let secrets: Record<string, string>;

beforeAll(async () => {
  app = synthesize();
  secrets = {
    EVERGRANT_SECRETS: await serverSecret(),
    EVERGRANT_SERVER_PASSWORD: PASSWORD,
    EVERGRANT_CONTROLLER_PASSWORD: PASSWORD,
    EVERGRANT_ADMINISTRATOR_TOKEN: PASSWORD,
  };
}, 120_000);

/** The secret of the servers, as CloudFormation creates it and the setup function completes it. */
async function serverSecret(): Promise<string> {
  let content = JSON.stringify({ databasePassword: PASSWORD });
  const send = async ({ input }: { input: { SecretString?: string } }) => {
    content = input.SecretString ?? content;
    return { SecretString: content };
  };
  await seedSigningKeys({ secretId: 'server' }, { secrets: { send } } as never);
  return content;
}

function containers(region: (typeof REGIONS)[number], family: string): readonly Container[] {
  const [, task] = ofType(app.templates[region], 'AWS::ECS::TaskDefinition').find(
    ([, { Properties }]) => Properties.Family === family,
  )!;
  return task.Properties.ContainerDefinitions as readonly Container[];
}

/** The environment of a container. Values that only AWS knows, such as the database host, are replaced by a name. */
function told(region: (typeof REGIONS)[number], family: string, name = family.replace('evergrant-', '')) {
  const container = containers(region, family).find(({ Name }) => Name === name)!;
  const variables = container.Environment.map(({ Name, Value }): [string, string] => [
    Name,
    typeof Value === 'string' ? Value : 'known-to-aws.example.com',
  ]);
  return {
    ...Object.fromEntries(variables),
    ...Object.fromEntries(container.Secrets.map(({ Name }) => [Name, secrets[Name] ?? ''])),
  };
}

/** The variables, and the names of variables that were read but are not set. */
function watched(variables: Record<string, string>): { variables: Record<string, string>; missed: Set<string> } {
  const missed = new Set<string>();
  const get = (target: Record<string, string>, name: string): string | undefined => {
    if (!(name in target)) missed.add(name);
    return target[name];
  };
  return { variables: new Proxy(variables, { get: get as never }), missed };
}

describe.each(REGIONS)('task definitions of %s', (region) => {
  it('set every variable that the servers require', async () => {
    const { variables, missed } = watched(told(region, 'evergrant-server'));
    expect(await readServerEnvironment(variables)).toMatchObject({
      region,
      host: '0.0.0.0',
      database: { user: 'evergrant_server', ca: expect.stringContaining('BEGIN CERTIFICATE') },
      authority: { table: 'evergrant-authority', awsRegion: AWS_REGION_OF[region] },
      signingKeys: [{ crv: 'Ed25519' }],
      licensing: { trust: { roots: [{ kid: config.licenseTrust.roots[0]!.kid }] } },
      regionAddresses: { oregon: 'https://oregon.licenses.example.com', virginia: expect.any(String) },
      security: { trustedProxies: [config.network[region].cidr] },
      followerName: '%',
    });
    expect([...missed].filter((name) => !(name in LEFT_ALONE))).toEqual([]);
  });

  it('migrate before a server starts, and start it after a failed migration too', () => {
    const [server, migration] = containers(region, 'evergrant-server');
    expect(server).toMatchObject({
      Name: 'server',
      Essential: true,
      DependsOn: [{ ContainerName: 'migration', Condition: 'COMPLETE' }],
    });
    expect(migration).toMatchObject({ Name: 'migration', Essential: false, Command: ['dist/server/migrate.js'] });
    expect(told(region, 'evergrant-server', 'migration')).toEqual(told(region, 'evergrant-migration'));
  });

  it('replace a server whose schema stays outdated', () => {
    const [server] = containers(region, 'evergrant-server');
    expect(server?.HealthCheck?.Command.join(' ')).toContain('/startupz');
    const [service] = ofType(app.templates[region], 'AWS::ECS::Service');
    expect(service?.[1].Properties.DeploymentConfiguration).toMatchObject({
      DeploymentCircuitBreaker: { Enable: true, Rollback: true },
    });
  });

  it('give a server no secret of the owner', () => {
    const [server] = containers(region, 'evergrant-server');
    expect(server?.Secrets.map(({ Name }) => Name)).toEqual(['EVERGRANT_SECRETS']);
  });

  it('give servers a longer idle time-out than the load balancer', () => {
    const [balancer] = ofType(app.templates[region], 'AWS::ElasticLoadBalancingV2::LoadBalancer');
    const attributes = balancer?.[1].Properties.LoadBalancerAttributes as { Key: string; Value: string }[];
    const idleSeconds = Number(attributes.find(({ Key }) => Key === 'idle_timeout.timeout_seconds')?.Value);
    expect(idleSeconds * 1_000).toBeLessThan(KEEP_ALIVE_MS);
  });

  it('set every variable that the migration requires', async () => {
    const { variables, missed } = watched(told(region, 'evergrant-migration'));
    expect(await readMigrationEnvironment(variables)).toMatchObject({
      database: { user: 'evergrant_owner', ca: expect.stringContaining('BEGIN CERTIFICATE') },
      rolePasswords: { evergrant_server: PASSWORD, evergrant_controller: PASSWORD },
      administratorToken: PASSWORD,
    });
    expect([...missed].filter((name) => !(name in LEFT_ALONE))).toEqual([]);
  });

  it('set no variable that is never read', async () => {
    for (const [family, read] of [
      ['evergrant-server', readServerEnvironment],
      ['evergrant-migration', readMigrationEnvironment],
    ] as const) {
      const variables = told(region, family);
      const asked = new Set<string>();
      const get = (target: Record<string, string>, name: string) => {
        asked.add(name);
        return target[name];
      };
      await read(new Proxy(variables, { get: get as never }));
      expect(Object.keys(variables).filter((name) => !asked.has(name))).toEqual([]);
    }
  });
});
