import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { initialControl } from '@evergrant/controller/core/control-record';
import { type GuardFacts, guardVerdict } from '../../lib/protection/guard';
import { type ComparedTemplate, STACK_POLICY } from '../../lib/protection/unsafe-changes';

const authority = (region: 'oregon' | 'virginia') => ({
  epoch: 2,
  region,
  operationId: null,
  latchedAtMs: 0,
  opensAtMs: 0,
  renewedAtMs: null,
  renewedBy: null,
  readAtMs: 1,
});
const template = (databaseClass: string, lines = 1): ComparedTemplate => ({
  Resources: {
    Database: { Type: 'AWS::RDS::DBInstance', Properties: { DBInstanceClass: databaseClass } },
    Dashboard: { Type: 'AWS::CloudWatch::Dashboard', Properties: { lines } },
  },
});
const facts = (region: 'oregon' | 'virginia', next: ComparedTemplate): GuardFacts => ({
  state: { authority: authority(region), control: initialControl(0) },
  stacks: [{ name: 'Evergrant-Virginia', deployed: template('db.m7g.large'), next }],
});

describe('the guard before a deploy', () => {
  it('looks at what is deployed then: the same synthesized app, and none of yesterday', () => {
    const text = readFileSync(join(__dirname, '../../package.json'), 'utf8');
    const { scripts } = JSON.parse(text) as { scripts: Record<string, string> };
    expect(scripts.guard).toBe('CDK_VALIDATION=true cdk synth --quiet && tsx bin/guard.ts');
    expect(scripts['deploy:aws']).toBe('npm run guard && cdk deploy --all --app cdk.out');
  });

  it('lets a new deployment through', () => {
    expect(guardVerdict({ state: null, stacks: [] }).kind).toBe('deploy');
  });

  it('lets everything through while Oregon is active', () => {
    expect(guardVerdict(facts('oregon', template('db.m7g.xlarge'))).kind).toBe('deploy');
  });

  it('refuses a change of a database while failed over, and names it', () => {
    const verdict = guardVerdict(facts('virginia', template('db.m7g.xlarge')));
    expect(verdict).toMatchObject({ kind: 'refuse' });
    expect(String(verdict.reason)).toContain('Evergrant-Virginia: Database (AWS::RDS::DBInstance) would be changed');
  });

  it('refuses to take a database out of its stack while failed over', () => {
    expect(String(guardVerdict(facts('virginia', { Resources: {} })).reason)).toContain('taken out of the stack');
  });

  it('lets through what holds no state, also while failed over', () => {
    expect(guardVerdict(facts('virginia', template('db.m7g.large', 2))).kind).toBe('deploy');
  });

  it('refuses everything during an operation', () => {
    const { state, stacks } = facts('oregon', template('db.m7g.large'));
    const operation = { kind: 'failover', phase: 'drain' } as never;
    const during = { state: { ...state!, control: { ...state!.control, operation } }, stacks };
    expect(guardVerdict(during)).toMatchObject({ kind: 'refuse' });
  });

  it('goes on guarding until the last stage of a failback is done', () => {
    const { state, stacks } = facts('oregon', template('db.m7g.xlarge'));
    const control = { ...state!.control, failbackDoneAtMs: { switchover: 5 } };
    expect(guardVerdict({ state: { ...state!, control }, stacks }).kind).toBe('refuse');
  });
});

it('the stacks’ policy denies to replace or delete a database', () => {
  const denied = STACK_POLICY.Statement.find(({ Effect }) => Effect === 'Deny');
  expect(denied).toMatchObject({ Action: ['Update:Replace', 'Update:Delete'] });
  expect(denied?.Condition?.StringEquals.ResourceType).toContain('AWS::RDS::DBInstance');
});
