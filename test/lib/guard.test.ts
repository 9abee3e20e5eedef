import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { initialControl } from '@evergrant/controller/core/control-record';
import { type GuardFacts, type GuardVerdict, guardVerdict } from '../../lib/protection/guard';
import { type ComparedTemplate, STACK_POLICY } from '../../lib/protection/unsafe-changes';

const authority = (region: 'oregon' | 'virginia') => ({
  epoch: 2,
  region,
  operationId: undefined,
  latchedAtMs: 0,
  opensAtMs: 0,
  renewedAtMs: undefined,
  renewedBy: undefined,
  readAtMs: 1,
});
const template = (databaseClass: string, lines = 1): ComparedTemplate => ({
  Resources: {
    Database: { Type: 'AWS::RDS::DBInstance', Properties: { DBInstanceClass: databaseClass } },
    Dashboard: { Type: 'AWS::CloudWatch::Dashboard', Properties: { lines } },
  },
});
/** The reasons of a refusal, as one text. */
function reasonsOf(verdict: GuardVerdict): string {
  expect(verdict.kind).toBe('refuse');
  return verdict.kind === 'refuse' ? verdict.reasons.join('\n') : '';
}

const facts = (region: 'oregon' | 'virginia', next: ComparedTemplate): GuardFacts => ({
  state: { authority: authority(region), control: initialControl(0) },
  stacks: [{ name: 'Evergrant-Virginia', deployed: template('db.m7g.large'), next }],
});

describe('deploy guard', () => {
  it('checks the synthesized app that is deployed afterwards', () => {
    const text = readFileSync(join(__dirname, '../../package.json'), 'utf8');
    const { scripts } = JSON.parse(text) as { scripts: Record<string, string> };
    expect(scripts.guard).toBe('CDK_VALIDATION=true cdk synth --quiet && tsx bin/guard.ts');
    expect(scripts['deploy:aws']).toBe('npm run guard && cdk deploy --all --app cdk.out');
  });

  it('allows a new deployment', () => {
    expect(guardVerdict({ state: undefined, stacks: [] }).kind).toBe('deploy');
  });

  it('allows every change while Oregon is active', () => {
    expect(guardVerdict(facts('oregon', template('db.m7g.xlarge'))).kind).toBe('deploy');
  });

  it('refuses a change of a database while failed over, and names the database', () => {
    const verdict = guardVerdict(facts('virginia', template('db.m7g.xlarge')));
    expect(reasonsOf(verdict)).toContain('Evergrant-Virginia: Database (AWS::RDS::DBInstance) would be changed');
  });

  it('refuses the removal of a database from its stack while failed over', () => {
    expect(reasonsOf(guardVerdict(facts('virginia', { Resources: {} })))).toContain('removed from the stack');
  });

  it('allows a change of a stateless resource while failed over', () => {
    expect(guardVerdict(facts('virginia', template('db.m7g.large', 2))).kind).toBe('deploy');
  });

  it('refuses every change during an operation', () => {
    const { state, stacks } = facts('oregon', template('db.m7g.large'));
    const operation = { kind: 'failover', phase: 'drain' } as never;
    const during = { state: { ...state!, control: { ...state!.control, operation } }, stacks };
    expect(guardVerdict(during)).toMatchObject({ kind: 'refuse' });
  });

  it('refuses changes until the last stage of a failback is done', () => {
    const { state, stacks } = facts('oregon', template('db.m7g.xlarge'));
    const control = { ...state!.control, failbackDoneAtMs: { switchover: 5 } };
    expect(guardVerdict({ state: { ...state!, control }, stacks }).kind).toBe('refuse');
  });
});

it('stack policy: denies the replacement and deletion of a database', () => {
  const denied = STACK_POLICY.Statement.find(({ Effect }) => Effect === 'Deny');
  expect(denied).toMatchObject({ Action: ['Update:Replace', 'Update:Delete'] });
  expect(denied?.Condition?.StringEquals.ResourceType).toContain('AWS::RDS::DBInstance');
});
