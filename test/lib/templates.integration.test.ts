import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAILOVER_VARIABLES } from '@evergrant/controller/aws/environment';
import { FAILBACK_STAGES } from '@evergrant/controller/core/operations';
import { App, Stack, Validations } from 'aws-cdk-lib';
import { CfnBucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import { config } from '../../deployment.config';
import { PASSES_THE_FENCE } from '../../lib/edge/web-acls';
import { STACKS } from '../../lib/stacks/deployment';
import { ofType, type Resource, type Synthesized, synthesize, type Template } from './support/synthesized';

const ROOT = join(__dirname, '../..');
let app: Synthesized;

beforeAll(() => {
  app = synthesize();
}, 120_000);

const regions = (): [string, Template][] => [
  ['oregon', app.templates.oregon],
  ['virginia', app.templates.virginia],
];
const only = (template: Template, type: string): Resource => {
  const found = ofType(template, type);
  if (found.length !== 1) throw new Error(`${found.length} of ${type}`);
  return found[0]![1];
};

describe('region stacks', () => {
  it('depend on each other only for the order of the first deploy', () => {
    expect(app.dependencies).toMatchObject({
      'Evergrant-Authority': [],
      'Evergrant-Oregon': ['Evergrant-Authority'],
      'Evergrant-Virginia': ['Evergrant-Oregon'],
      'Evergrant-Virginia-Interconnect': ['Evergrant-Virginia'],
      'Evergrant-Oregon-Interconnect': ['Evergrant-Virginia-Interconnect'],
    });
  });

  it.each(['authority', 'oregon', 'virginia', 'oregonInterconnect', 'virginiaInterconnect'] as const)(
    'imports and exports nothing: %s',
    (name) => {
      const { text } = app.templates[name];
      expect(text).not.toMatch(/Fn::ImportValue|Fn::GetStackOutput|ExportsReader|ExportsWriter|"Export"/);
    },
  );

  it('reference the database of the other region by its literal ARN', () => {
    const { Properties } = only(app.templates.virginia, 'AWS::RDS::DBInstance');
    expect(Properties.SourceDBInstanceIdentifier).toBe('arn:aws:rds:us-west-2:111122223333:db:evergrant-oregon');
  });
});

describe('deploy: never undoes a failover', () => {
  it('has no resource that the controller changes: no web ACL association, no public record', () => {
    for (const [, template] of regions()) {
      expect(ofType(template, 'AWS::WAFv2::WebACLAssociation')).toEqual([]);
      const names = ofType(template, 'AWS::Route53::RecordSet').map(([, { Properties }]) => Properties.Name);
      expect(names).toHaveLength(1);
      expect(names).not.toContain(config.domain.publicName);
    }
  });

  it('has custom resources whose properties do not depend on the active region', () => {
    const { Properties } = only(app.templates.oregon, 'Custom::EvergrantPublicRecord');
    expect(Object.keys(Properties).sort()).toEqual(
      ['ServiceToken', 'ServiceTimeout', 'awsRegion', 'hostedZoneId', 'kind', 'publicName', 'table'].sort(),
    );
    for (const [region, template] of regions()) {
      expect(only(template, 'Custom::EvergrantAssociation').Properties.region).toBe(region);
    }
  });

  it('synthesizes the same templates every time, without input from the running deployment', () => {
    const again = synthesize();
    for (const name of ['authority', 'oregon', 'virginia'] as const) {
      expect(again.templates[name].text).toBe(app.templates[name].text);
    }
  }, 120_000);

  it('asks health checkers outside both regions only', () => {
    const { HealthCheckConfig } = only(app.templates.virginia, 'AWS::Route53::HealthCheck').Properties;
    const { Regions } = HealthCheckConfig as { Regions: readonly string[] };
    // Route 53 requires at least three.
    expect(Regions.length).toBeGreaterThanOrEqual(3);
    expect(Regions.filter((region) => region === 'us-west-2' || region === 'us-east-1')).toEqual([]);
  });

  it('attaches no health check to a record, because Route 53 would fail back automatically', () => {
    for (const [, template] of regions()) {
      const { Properties } = only(template, 'AWS::Route53::RecordSet');
      expect(Properties).not.toHaveProperty('HealthCheckId');
      expect(Properties).toMatchObject({ AliasTarget: { EvaluateTargetHealth: false } });
    }
  });
});

describe('stateful resources', () => {
  it('keep their logical ids', () => {
    const STATEFUL = /RDS::DBInstance|GlobalTable|SecretsManager::Secret|KMS::Key|LoadBalancer$|EC2::VPC$|S3::Bucket$/;
    const ids = (template: Template): string[] =>
      Object.entries(template.resources)
        .filter(([, { Type }]) => STATEFUL.test(Type))
        .map(([id]) => id)
        .sort();
    const alike = [
      'KeysDatabase918B5966',
      'KeysTelemetry16EF4CBE',
      'LicenseDatabaseInstance9E279671',
      'LoadBalancerAccessLogsB27DFC85',
      'LoadBalancerCD993E47',
      'NetworkVpc7FB7348F',
    ];
    expect(ids(app.templates.authority)).toEqual(['AuthorityTableB5EA072C']);
    expect(ids(app.templates.virginia)).toEqual(alike);
    expect(ids(app.templates.oregon)).toEqual(
      [
        ...alike,
        'Secretsadministrator49FDD56B',
        'SecretscontrollerCD015D5F',
        'Secretsowner1F65113B',
        'SecretsserverDB44B203',
      ].sort(),
    );
  });

  it.each([
    // Deletion protection refuses the rollback in any case. The operator removes it (docs/deploy.md).
    ['AWS::RDS::DBInstance', 'Retain'],
    // Access logs arrive immediately, and the deletion of a bucket with objects would break the rollback.
    ['AWS::S3::Bucket', 'Retain'],
    // They are empty when their creation is rolled back, and a retained name would block the next deploy.
    ['AWS::KMS::Key', 'RetainExceptOnCreate'],
    ['AWS::SecretsManager::Secret', 'RetainExceptOnCreate'],
  ])('have the deletion policy of their type: %s %s', (type, policy) => {
    for (const [region, template] of regions()) {
      const found = ofType(template, type);
      expect(found.length > 0).toBe(type !== 'AWS::SecretsManager::Secret' || region === 'oregon');
      for (const [, { DeletionPolicy, UpdateReplacePolicy }] of found) {
        expect([DeletionPolicy, UpdateReplacePolicy]).toEqual([policy, 'Retain']);
      }
    }
  });

  it('have deletion protection: databases and load balancers', () => {
    for (const [region, template] of regions()) {
      const { Properties } = only(template, 'AWS::RDS::DBInstance');
      expect(Properties).toMatchObject({ DeletionProtection: true, DBInstanceIdentifier: `evergrant-${region}` });
      expect(only(template, 'AWS::ElasticLoadBalancingV2::LoadBalancer').Properties.LoadBalancerAttributes).toEqual(
        expect.arrayContaining([
          { Key: 'deletion_protection.enabled', Value: 'true' },
          { Key: 'waf.fail_open.enabled', Value: 'false' },
        ]),
      );
    }
  });

  it('have deletion protection and strong consistency over three regions: the authority table', () => {
    const table = only(app.templates.authority, 'AWS::DynamoDB::GlobalTable');
    expect(table.DeletionPolicy).toBe('Retain');
    expect(table.Properties).toMatchObject({
      MultiRegionConsistency: 'STRONG',
      GlobalTableWitnesses: [{ Region: 'us-east-2' }],
      Replicas: expect.arrayContaining([
        expect.objectContaining({ Region: 'us-west-2', DeletionProtectionEnabled: true }),
        expect.objectContaining({ Region: 'us-east-1', DeletionProtectionEnabled: true }),
      ]),
    });
  });
});

describe('account', () => {
  it('holds one deployment, as the configuration states, because stacks and metrics have fixed names', () => {
    const text = readFileSync(join(ROOT, 'deployment.config.ts'), 'utf8');
    expect(text).toContain('An account holds one deployment');
    expect(Object.values(STACKS).join(' ')).not.toContain(config.deployment);
  });
});

describe('rule packs', () => {
  it('have a reason in the template for each ignored cfn-lint rule', () => {
    type Excused = { Metadata?: { 'cfn-lint'?: { config: { ignore_checks: string[] } }; accepted?: object } };
    const excused = Object.values(app.templates)
      .flatMap(({ resources }) => Object.values(resources) as Excused[])
      .filter(({ Metadata }) => Metadata?.['cfn-lint'] !== undefined);
    expect(excused.length).toBeGreaterThan(0);
    for (const { Metadata } of excused) {
      expect(Object.keys(Metadata?.accepted ?? {})).toEqual(Metadata?.['cfn-lint']?.config.ignore_checks);
    }
  });

  it('have no finding without an acknowledged reason', () => {
    expect(app.findings).toEqual([]);
  });

  it('report a finding for an unsafe resource', () => {
    const wrong = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
    Validations.of(wrong).addPlugins(new AwsSolutionsChecks(wrong));
    new CfnBucket(new Stack(wrong, 'Wrong'), 'Open');
    expect(() => wrong.synth()).toThrow('AwsSolutions-S1');
  });
});

describe('failover controller', () => {
  it('starts every minute, without late starts and retries', () => {
    const { Properties } = only(app.templates.virginia, 'AWS::Scheduler::Schedule');
    expect(Properties).toMatchObject({
      ScheduleExpression: 'rate(1 minute)',
      Target: { RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 }, DeadLetterConfig: {} },
    });
    expect(only(app.templates.virginia, 'AWS::Lambda::EventInvokeConfig').Properties).toMatchObject({
      MaximumRetryAttempts: 0,
      MaximumEventAgeInSeconds: 60,
    });
  });

  it('has every environment variable that it reads', () => {
    const handler = ofType(app.templates.virginia, 'AWS::Lambda::Function').find(
      ([, { Properties }]) => Properties.FunctionName === 'evergrant-failover',
    )![1].Properties as { Environment: { Variables: object }; Timeout: number; Runtime: string };
    expect(Object.keys(handler.Environment.Variables)).toEqual(expect.arrayContaining([...FAILOVER_VARIABLES]));
    expect(handler).toMatchObject({ Timeout: 120, Runtime: 'nodejs24.x' });
  });

  it('has a heartbeat alarm in both regions that treats missing data as a breach', () => {
    for (const [, template] of regions()) {
      const silent = ofType(template, 'AWS::CloudWatch::Alarm').filter(([, { Properties }]) =>
        String(Properties.AlarmName).includes('heartbeat missing'),
      );
      expect(silent.map(([, { Properties }]) => Properties.TreatMissingData)).toEqual(['breaching']);
    }
  });
});

describe('alarms', () => {
  const RUNBOOK = readFileSync(join(ROOT, 'docs/runbook.md'), 'utf8');
  const sections = new Set([...RUNBOOK.matchAll(/^## (.+)$/gm)].map(([, title]) => title));

  it('link their section of the runbook', () => {
    for (const [, template] of regions()) {
      for (const [id, { Properties }] of ofType(template, 'AWS::CloudWatch::Alarm')) {
        // Auto scaling has its own alarms without an alert.
        if (String(id).includes('Scaling')) continue;
        const section = /#([a-z-]+)$/.exec(String(Properties.AlarmDescription))?.[1];
        expect({ id, section, known: sections.has(section ?? '') }).toMatchObject({ known: true });
        expect(Properties.AlarmActions).toHaveLength(1);
      }
    }
  });
});

describe('Systems Manager documents', () => {
  it('exist for the manual failover and for each failback stage', () => {
    const names = ofType(app.templates.virginia, 'AWS::SSM::Document').map(([, { Properties }]) => Properties.Name);
    const stages = FAILBACK_STAGES.map((stage) => `evergrant-failback-${stage}`);
    expect(names).toEqual(['evergrant-failover', ...stages]);
  });
});

describe('databases: parameters', () => {
  it('have a follower notice a silent primary within ten seconds, in both regions', () => {
    for (const [, template] of regions()) {
      const [group] = ofType(template, 'AWS::RDS::DBParameterGroup');
      expect(group?.[1].Properties.Parameters).toMatchObject({
        wal_receiver_timeout: '10000',
        wal_receiver_status_interval: '1',
      });
    }
  });
});

describe('alarms: coverage', () => {
  const names = (template: Template): string[] =>
    ofType(template, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => String(Properties.AlarmName));

  it.each([
    ['the application, and its uptime', 'no server lives'],
    ['the database', 'database silent'],
    ['replica lag', 'replica lag'],
    ['slot lag', 'slot lag'],
    ['the certificate’s end', 'certificate expires'],
    ['a license’s end', 'license expires'],
    ['the controller’s heartbeat', 'controller heartbeat missing'],
    ['unprotected grants', 'unprotected grants'],
    ['a second follower', 'several followers'],
    ['lease denials', 'lease denials'],
    ['response times', 'slow responses'],
    ['failure rates', 'failure rate'],
  ])('exist in both regions: %s', (_what, name) => {
    for (const [region, template] of regions()) {
      expect(names(template).filter((each) => each.startsWith(`evergrant ${region}: ${name}`))).toHaveLength(1);
    }
  });

  it.each([
    ['a fence that is pending', 'pending fence open'],
    ['automation that is paused for long', 'automation not armed'],
  ])('exist in the region of the controller: %s', (_what, name) => {
    expect(names(app.templates.virginia)).toContain(`evergrant virginia: ${name}`);
  });
});

describe('dashboards', () => {
  it.each([
    'Healthy servers and granting servers',
    'Availability',
    'Grants and denials',
    'Requests and 5xx responses',
    'Response times',
    'Database',
    'Replication',
    'Controller',
  ])('show for each region: %s', (title) => {
    for (const [, template] of regions()) {
      expect(JSON.stringify(only(template, 'AWS::CloudWatch::Dashboard').Properties.DashboardBody)).toContain(title);
    }
  });
});

describe('fence', () => {
  it('returns 503 with the other address, and serves the same paths as the local fence', () => {
    for (const [region, template] of regions()) {
      const fence = ofType(template, 'AWS::WAFv2::WebACL').find(
        ([, { Properties }]) => Properties.Name === 'evergrant-fence',
      )![1].Properties as {
        DefaultAction: object;
        CustomResponseBodies: Record<string, { Content: string }>;
      };
      expect(fence.DefaultAction).toMatchObject({ Block: { CustomResponse: { ResponseCode: 503 } } });
      const body = JSON.parse(fence.CustomResponseBodies['go-elsewhere']!.Content) as Record<string, string>;
      const other = region === 'oregon' ? 'virginia' : 'oregon';
      expect(body).toMatchObject({
        code: 'not_granting',
        activeRegion: other,
        address: `https://${other}.licenses.example.com`,
      });
    }
    const router = readFileSync(join(ROOT, 'packages/local-cluster/src/proxy/region-router.ts'), 'utf8');
    for (const path of PASSES_THE_FENCE) expect(router).toContain(`'${path}'`);
  });
});

test('synthesis: needs no credentials', () => {
  expect(process.env.AWS_ACCESS_KEY_ID).toBeUndefined();
});
