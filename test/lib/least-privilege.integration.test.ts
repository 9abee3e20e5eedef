import { CONTROLLER_WILDCARDS } from '../../lib/controller/controller-policy';
import { ofType, type Synthesized, synthesize, type Template } from './support/synthesized';

let app: Synthesized;

beforeAll(() => {
  app = synthesize();
}, 120_000);

/** Partition keys of the authority table that a statement allows the controller or a setup function to write. */
const KEYS_WRITTEN: Readonly<Record<string, readonly string[]>> = {
  Authority: ['authority', 'control'],
  History: ['history'],
  Seed: ['authority', 'control'],
  RegionResources: ['region'],
};

describe('least privilege', () => {
  type Statement = { Sid?: string; Action: string | string[]; Resource?: unknown; Effect: string };
  const statements = (template: Template): Statement[] =>
    ofType(template, 'AWS::IAM::Policy').flatMap(
      ([, { Properties }]) => (Properties.PolicyDocument as { Statement: Statement[] }).Statement,
    );

  it('allows no action by a wildcard', () => {
    for (const template of Object.values(app.templates)) {
      const actions = statements(template).flatMap(({ Action }) => Action);
      expect(actions.filter((action) => action.includes('*'))).toEqual([]);
    }
  });

  /** Text of an ARN, with `<>` for the values that CloudFormation inserts. */
  const flat = (resource: unknown): string[] => {
    if (Array.isArray(resource)) return resource.flatMap(flat);
    if (typeof resource === 'string') return [resource];
    const [, parts] = (resource as { 'Fn::Join'?: [string, unknown[]] })['Fn::Join'] ?? ['', ['<>']];
    return [parts.map((part) => (typeof part === 'string' ? part : '<>')).join('')];
  };

  /** The statements of all stacks with a wildcard in a resource: `[sid or actions] resource`. */
  const wildcards = (): [string, string][] =>
    Object.values(app.templates).flatMap((template) =>
      statements(template).flatMap(({ Sid, Action, Resource }) =>
        flat(Resource)
          .filter((resource) => /[*?]/.test(resource))
          .map((resource): [string, string] => [Sid ?? [Action].flat().join(' '), resource]),
      ),
    );

  it('contains only these resource wildcards, each with a reason', () => {
    const OREGON = 'us-west-2:111122223333';
    const VIRGINIA = 'us-east-1:111122223333';
    const ours: [string, string][] = [
      ['Secret', `arn:aws:secretsmanager:${VIRGINIA}:secret:evergrant/controller-??????`],
      ['WebAclsOfOregon', `arn:aws:wafv2:${OREGON}:regional/webacl/evergrant-serve/*`],
      ['WebAclsOfOregon', `arn:aws:wafv2:${OREGON}:regional/webacl/evergrant-fence/*`],
      ['WebAclsOfOregon', `arn:aws:elasticloadbalancing:${OREGON}:loadbalancer/app/evergrant/*`],
      ['SetWebAcl', '*'],
      ['RouteChange', 'arn:aws:route53:::change/*'],
      ['HeartbeatInOregon', '*'],
      ['DatabasesKeptAside', `arn:aws:rds:${OREGON}:db:evergrant-oregon-kept-*`],
      ['DatabasesKeptAside', `arn:aws:rds:${OREGON}:db:evergrant-oregon-failed-*`],
      ['DatabasesKeptAside', `arn:aws:rds:${VIRGINIA}:db:evergrant-virginia-kept-*`],
      ['DatabasesKeptAside', `arn:aws:rds:${VIRGINIA}:db:evergrant-virginia-failed-*`],
      ['FollowerMakingInOregon', `arn:aws:kms:${OREGON}:key/*`],
      ['FollowerGrantInOregon', `arn:aws:kms:${OREGON}:key/*`],
    ];
    const sids = new Set(ours.map(([sid]) => sid));
    expect([...sids].sort()).toEqual(Object.keys(CONTROLLER_WILDCARDS).sort());
    // Statements of the library: actions without resource types, secrets of the other region, versions of one function.
    const theirs: [string, string][] = [
      ['xray:PutTraceSegments xray:PutTelemetryRecords', '*'],
      ['ecr:GetAuthorizationToken', '*'],
      ['lambda:InvokeFunction', '<>:*'],
      ...['database-owner', 'server', 'controller', 'administrator'].map((name): [string, string] => [
        'secretsmanager:GetSecretValue secretsmanager:DescribeSecret',
        `arn:<>:secretsmanager:${VIRGINIA}:secret:evergrant/${name}-??????`,
      ]),
    ];
    const known = new Set([...ours, ...theirs].map(String));
    expect(wildcards().filter((each) => !known.has(String(each)))).toEqual([]);
    // The setup function of each region has the statement too.
    const ofSetup: [string, string][] = [
      ['SetWebAcl', '*'],
      ['SetWebAcl', '*'],
    ];
    const listed = wildcards().filter(([sid]) => sids.has(sid));
    expect(listed.map(String).sort()).toEqual([...ours, ...ofSetup].map(String).sort());
  });

  const named = (template: Template, sid: string): object[] => statements(template).filter(({ Sid }) => Sid === sid);

  it('allows changes of the public record only', () => {
    const record = {
      'route53:ChangeResourceRecordSetsNormalizedRecordNames': ['licenses.example.com'],
      'route53:ChangeResourceRecordSetsRecordTypes': ['A'],
    };
    const may = (template: Template): object[] =>
      statements(template).filter(({ Action }) => [Action].flat().includes('route53:ChangeResourceRecordSets'));
    for (const [template, actions] of [
      [app.templates.oregon, ['CREATE']],
      [app.templates.virginia, ['UPSERT']],
    ] as const) {
      const condition = { ...record, 'route53:ChangeResourceRecordSetsActions': actions };
      expect(may(template)).toMatchObject([{ Condition: { 'ForAllValues:StringEquals': condition } }]);
    }
  });

  it('allows controller and setup functions to write their own items of the authority table, but no checkpoint', () => {
    const WRITES = /^dynamodb:(PutItem|UpdateItem|BatchWriteItem|DeleteItem)$/;
    type Conditional = Statement & { Condition?: Record<string, Record<string, string[]>> };
    for (const [name, template] of Object.entries(app.templates)) {
      for (const { Sid, Action, Condition } of statements(template) as Conditional[]) {
        if (Sid === 'RenewAuthority' || ![Action].flat().some((action) => WRITES.test(action))) continue;
        const keys = Condition?.['ForAllValues:StringEquals']?.['dynamodb:LeadingKeys'] ?? ['every key'];
        expect({ name, Sid, keys }).toEqual({ name, Sid, keys: KEYS_WRITTEN[Sid ?? ''] });
      }
    }
  });

  it('allows the controller to create key grants only for RDS', () => {
    for (const [sid, region] of [
      ['FollowerGrant', 'us-east-1'],
      ['FollowerGrantInOregon', 'us-west-2'],
    ] as const) {
      expect(named(app.templates.virginia, sid)).toMatchObject([
        {
          Action: 'kms:CreateGrant',
          Condition: {
            Bool: { 'kms:GrantIsForAWSResource': 'true' },
            StringEquals: { 'kms:ViaService': `rds.${region}.amazonaws.com` },
          },
        },
      ]);
    }
    const granting = statements(app.templates.virginia).filter(({ Action }) =>
      [Action].flat().includes('kms:CreateGrant'),
    );
    expect(granting).toHaveLength(2);
  });

  it('allows Systems Manager to act for this account only', () => {
    const trust = ofType(app.templates.virginia, 'AWS::IAM::Role').map(
      ([, { Properties }]) => Properties.AssumeRolePolicyDocument,
    );
    const ofDocuments = trust.filter((document) => JSON.stringify(document).includes('ssm.amazonaws.com'));
    expect(ofDocuments).toMatchObject([
      { Statement: [{ Condition: { StringEquals: { 'aws:SourceAccount': '111122223333' } } }] },
    ]);
  });

  it('allows the servers to write the authority record and checkpoints, and to read the history of the controller', () => {
    const ofServers = statements(app.templates.oregon);
    expect(ofServers.find(({ Sid }) => Sid === 'RenewAuthority')).toMatchObject({
      Condition: {
        'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['authority', 'checkpoint', 'checkpoint-newest'] },
      },
    });
    expect(ofServers.find(({ Sid }) => Sid === 'ReadControllerHistory')).toMatchObject({
      Action: ['dynamodb:GetItem', 'dynamodb:Query'],
      Condition: { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['control', 'history'] } },
    });
  });
});
