import { config } from '../../deployment.config';
import { ConfigurationError, checkedConfig, type DeploymentConfig } from '../../lib/config/deployment-config';

function mistakesOf(changed: object): readonly string[] {
  try {
    checkedConfig(changed);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.mistakes;
  }
}

describe('the configuration', () => {
  it('of the example can be deployed', () => {
    expect(checkedConfig(config)).toBe(config);
  });

  it('is checked as a whole, and every mistake is named with its place', () => {
    const wrong = {
      ...config,
      account: '12',
      domain: { ...config.domain, publicName: 'licenses.elsewhere.org' },
      network: { ...config.network, virginia: { ...config.network.virginia, cidr: config.network.oregon.cidr } },
      service: { ...config.service, tasksMin: 5, tasksMax: 2 },
      alerts: { emails: [] },
      failover: { samplesToConfirm: 1 },
      colour: 'blue',
    };
    const mistakes = mistakesOf(wrong).join('\n');
    for (const place of [
      'account:',
      'domain.publicName: licenses.elsewhere.org is not in the zone example.com',
      'network.virginia.cidr:',
      'service.tasksMax:',
      'alerts.emails:',
      'failover.samplesToConfirm:',
      'colour:',
    ]) {
      expect(mistakes).toContain(place);
    }
  });

  it('says what is missing when there is nothing at all', () => {
    expect(mistakesOf({}).length).toBeGreaterThan(5);
  });

  it('keeps zones in their own region', () => {
    const zones: DeploymentConfig['network']['oregon'] = {
      ...config.network.oregon,
      availabilityZones: ['us-west-2a', 'us-west-2b', 'us-east-1a'],
    };
    expect(mistakesOf({ ...config, network: { ...config.network, oregon: zones } })).toEqual([
      'network.oregon.availabilityZones: us-east-1a is not in us-west-2',
    ]);
  });

  it('does not let a gap between two samples pass for a pause of the schedule', () => {
    expect(mistakesOf({ ...config, failover: { sampleGapMaxMs: 15_000 } })).toEqual([
      'failover.sampleGapMaxMs: must be longer than the pause between two invocations of the schedule',
    ]);
  });
});
