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

describe('each region stands alone', () => {
  it('has an order for the first deploy, and nothing more', () => {
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

  it('names the other region’s database by its literal ARN', () => {
    const { Properties } = only(app.templates.virginia, 'AWS::RDS::DBInstance');
    expect(Properties.SourceDBInstanceIdentifier).toBe('arn:aws:rds:us-west-2:111122223333:db:evergrant-oregon');
  });
});

describe('a deploy never undoes a failover', () => {
  it('holds nothing that the controller changes: no association of a web ACL, no public record', () => {
    for (const [, template] of regions()) {
      expect(ofType(template, 'AWS::WAFv2::WebACLAssociation')).toEqual([]);
      const names = ofType(template, 'AWS::Route53::RecordSet').map(([, { Properties }]) => Properties.Name);
      expect(names).toHaveLength(1);
      expect(names).not.toContain(config.domain.publicName);
    }
  });

  it('seeds through resources whose properties say nothing of who is active', () => {
    const { Properties } = only(app.templates.oregon, 'Custom::EvergrantPublicRecord');
    expect(Object.keys(Properties).sort()).toEqual(
      ['ServiceToken', 'ServiceTimeout', 'awsRegion', 'hostedZoneId', 'kind', 'publicName', 'table'].sort(),
    );
    for (const [region, template] of regions()) {
      expect(only(template, 'Custom::EvergrantAssociation').Properties.region).toBe(region);
    }
  });

  it('synthesizes the same templates every time: nothing about the running world is an input', () => {
    const again = synthesize();
    for (const name of ['authority', 'oregon', 'virginia'] as const) {
      expect(again.templates[name].text).toBe(app.templates[name].text);
    }
  }, 120_000);

  it('attaches no health check to a record, which would fail back by itself', () => {
    for (const [, template] of regions()) {
      const { Properties } = only(template, 'AWS::Route53::RecordSet');
      expect(Properties).not.toHaveProperty('HealthCheckId');
      expect(Properties).toMatchObject({ AliasTarget: { EvaluateTargetHealth: false } });
    }
  });
});

describe('stateful things are kept', () => {
  it('under these logical ids: another one would be another database', () => {
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
    // Its deletion protection refuses a rollback anyway: it is taken away by hand (docs/deploy.md).
    ['AWS::RDS::DBInstance', 'Retain'],
    // Access logs arrive as soon as it is there: a bucket that is not empty would break the rollback.
    ['AWS::S3::Bucket', 'Retain'],
    // Nothing is in them yet when their own making is rolled back, and a name that stays taken hinders the next try.
    ['AWS::KMS::Key', 'RetainExceptOnCreate'],
    ['AWS::SecretsManager::Secret', 'RetainExceptOnCreate'],
  ])('%s outlives its stack: %s', (type, policy) => {
    for (const [region, template] of regions()) {
      const found = ofType(template, type);
      expect(found.length > 0).toBe(type !== 'AWS::SecretsManager::Secret' || region === 'oregon');
      for (const [, { DeletionPolicy, UpdateReplacePolicy }] of found) {
        expect([DeletionPolicy, UpdateReplacePolicy]).toEqual([policy, 'Retain']);
      }
    }
  });

  it('databases and load balancers refuse to be deleted', () => {
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

  it('the authority table is strongly consistent over three regions, and refuses to be deleted', () => {
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

describe('an account', () => {
  it('has one deployment, and the configuration says so: stacks and metrics are named alike in each', () => {
    const text = readFileSync(join(ROOT, 'deployment.config.ts'), 'utf8');
    expect(text).toContain('An account holds one deployment');
    expect(Object.values(STACKS).join(' ')).not.toContain(config.deployment);
  });
});

describe('the rule packs', () => {
  it('leave a reason in the template for what cfn-lint is not to say', () => {
    type Excused = { Metadata?: { 'cfn-lint'?: { config: { ignore_checks: string[] } }; accepted?: object } };
    const excused = Object.values(app.templates)
      .flatMap(({ resources }) => Object.values(resources) as Excused[])
      .filter(({ Metadata }) => Metadata?.['cfn-lint'] !== undefined);
    expect(excused.length).toBeGreaterThan(0);
    for (const { Metadata } of excused) {
      expect(Object.keys(Metadata?.accepted ?? {})).toEqual(Metadata?.['cfn-lint']?.config.ignore_checks);
    }
  });

  it('have no finding that is not acknowledged with its reason', () => {
    expect(app.findings).toEqual([]);
  });

  it('speak when there is something to say', () => {
    const wrong = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
    Validations.of(wrong).addPlugins(new AwsSolutionsChecks(wrong));
    new CfnBucket(new Stack(wrong, 'Wrong'), 'Open');
    expect(() => wrong.synth()).toThrow('AwsSolutions-S1');
  });
});

describe('the watcher', () => {
  it('is started every minute, never late and never twice', () => {
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

  it('is told every variable that it reads', () => {
    const handler = ofType(app.templates.virginia, 'AWS::Lambda::Function').find(
      ([, { Properties }]) => Properties.FunctionName === 'evergrant-failover',
    )![1].Properties as { Environment: { Variables: object }; Timeout: number; Runtime: string };
    expect(Object.keys(handler.Environment.Variables)).toEqual(expect.arrayContaining([...FAILOVER_VARIABLES]));
    expect(handler).toMatchObject({ Timeout: 120, Runtime: 'nodejs24.x' });
  });

  it('is watched from both regions, and its silence alarms', () => {
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

  it('each say where the runbook says what to do', () => {
    for (const [, template] of regions()) {
      for (const [id, { Properties }] of ofType(template, 'AWS::CloudWatch::Alarm')) {
        // Scaling brings its own, which call nobody.
        if (String(id).includes('Scaling')) continue;
        const section = /#([a-z-]+)$/.exec(String(Properties.AlarmDescription))?.[1];
        expect({ id, section, known: sections.has(section ?? '') }).toMatchObject({ known: true });
        expect(Properties.AlarmActions).toHaveLength(1);
      }
    }
  });
});

describe('a human’s buttons', () => {
  it('are a document for the failover by hand, and one for each stage of the failback', () => {
    const names = ofType(app.templates.virginia, 'AWS::SSM::Document').map(([, { Properties }]) => Properties.Name);
    const stages = FAILBACK_STAGES.map((stage) => `evergrant-failback-${stage}`);
    expect(names).toEqual(['evergrant-failover', ...stages]);
  });
});

describe('there is an alarm', () => {
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
    ['lease denials', 'lease denials'],
    ['response times', 'slow responses'],
    ['failure rates', 'failure rate'],
  ])('in both regions, on %s', (_what, name) => {
    for (const [region, template] of regions()) {
      expect(names(template).filter((each) => each.startsWith(`evergrant ${region}: ${name}`))).toHaveLength(1);
    }
  });

  it.each([
    ['a fence that is pending', 'pending fence open'],
    ['automation that is paused for long', 'automation not armed'],
  ])('where the controller is, on %s', (_what, name) => {
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
  ])('show, for each region: %s', (title) => {
    for (const [, template] of regions()) {
      expect(JSON.stringify(only(template, 'AWS::CloudWatch::Dashboard').Properties.DashboardBody)).toContain(title);
    }
  });
});

describe('the fence', () => {
  it('blocks with 503 and where to go, and passes what the local fence passes', () => {
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

test('synthesizing takes no credentials', () => {
  expect(process.env.AWS_ACCESS_KEY_ID).toBeUndefined();
});
