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
      'network.oregon.availabilityZones: us-east-1a is no zone of the region, which has us-west-2a to us-west-2d',
    ]);
  });

  it('does not let a gap between two samples pass for a pause of the schedule', () => {
    expect(mistakesOf({ ...config, failover: { sampleGapMaxMs: 22_000 } })).toEqual([
      'failover.sampleGapMaxMs: must be longer than 22000, the longest pause between two invocations of the schedule',
    ]);
  });
});

type Parts = { readonly [Part in keyof DeploymentConfig]?: DeploymentConfig[Part] extends object ? object : unknown };

/** The example, with some parts of some of its sections changed. */
function changed(parts: Parts): object {
  const base: Readonly<Record<string, unknown>> = config;
  const sections = Object.entries(parts).map(([section, values]) =>
    typeof values === 'object' ? [section, { ...(base[section] as object), ...values }] : [section, values],
  );
  return { ...config, ...Object.fromEntries(sections) };
}

const zones = (cidr: string, availabilityZones = config.network.oregon.availabilityZones) => ({
  network: { oregon: { cidr, availabilityZones, natGateways: 3 } },
});

describe('a configuration that AWS, or the product, would refuse later is refused now', () => {
  it.each<[string, Parts, string]>([
    [
      'memory that Fargate does not have beside its processor',
      { service: { cpu: 256, memoryMiB: 30_720 } },
      'service.memoryMiB: ',
    ],
    ['memory between two sizes of Fargate', { service: { cpu: 1024, memoryMiB: 2_500 } }, 'service.memoryMiB: '],
    ['a processor that Fargate does not have', { service: { cpu: 300 } }, 'service.cpu: '],
    ['an address that is none', zones('10.999.0.0/16'), 'network.oregon.cidr: '],
    ['an address with a zero too many', zones('10.010.0.0/16'), 'network.oregon.cidr: '],
    [
      'a zone that the region does not have',
      zones('10.10.0.0/16', ['us-west-2a', 'us-west-2b', 'us-west-2zz']),
      'network.oregon.availabilityZones: us-west-2zz',
    ],
    [
      'a zone on its own beside a city',
      zones('10.10.0.0/16', ['us-west-2a', 'us-west-2b', 'us-west-2-lax-1a']),
      'network.oregon.availabilityZones: us-west-2-lax-1a',
    ],
    ['half a sample', { failover: { samplesToConfirm: 2.5 } }, 'failover.samplesToConfirm: '],
    ['half a millisecond', { failover: { skewMs: 0.5 } }, 'failover.skewMs: '],
    ['a lease that is over at once', { failover: { authorityLeaseMs: 1 } }, 'failover.authorityLeaseMs: '],
    [
      'a lease that is over before its first renewal',
      { failover: { authorityLeaseMs: 4_000 } },
      'failover.authorityLeaseMs: ',
    ],
    [
      'a lease that does not outlast three missed renewals',
      { failover: { authorityLeaseMs: 15_000 } },
      'failover.authorityLeaseMs: ',
    ],
    ['clocks that may be further apart than a lease lasts', { failover: { skewMs: 30_000 } }, 'failover.skewMs: '],
    [
      'a drain that ends before its follower can be at rest',
      { failover: { drainMaxMs: 4_000 } },
      'failover.drainMaxMs: ',
    ],
    ['a threshold that nobody knows', { failover: { samplesToConfrim: 3 } }, 'failover.samplesToConfrim: '],
    [
      'a limit of storage less than a tenth above it',
      { database: { storageGiB: 100, storageMaxGiB: 101 } },
      'database.storageMaxGiB: ',
    ],
    [
      'a replication slot that may fill the disk',
      { database: { storageGiB: 20, storageMaxGiB: 50 }, thresholds: { slotLagMiB: 10_240 } },
      'thresholds.slotLagMiB: ',
    ],
    ['a name that RDS does not take', { deployment: 'ever--grant' }, 'deployment: '],
    ['a name that Systems Manager does not take', { deployment: 'aws-licenses' }, 'deployment: '],
    [
      'a name that no certificate can carry',
      { domain: { publicName: `${'a'.repeat(63)}.example.com` } },
      'domain.publicName: ',
    ],
    ['a name that is no host', { domain: { publicName: '-licenses.example.com' } }, 'domain.publicName: '],
    ['fewer tasks at most than at least', { service: { tasksMin: 4, tasksMax: 3 } }, 'service.tasksMax: '],
  ])('%s', (_what, parts, place) => {
    const mistakes = mistakesOf(changed(parts));
    expect(mistakes.filter((mistake) => mistake.startsWith(place))).toHaveLength(1);
    expect(
      mistakes.filter((mistake) => !mistake.startsWith(place)).filter((mistake) => !/^network.virginia/.test(mistake)),
    ).toEqual([]);
  });

  it.each([
    [256, 512],
    [512, 4_096],
    [1024, 8_192],
    [2048, 16_384],
    [4096, 30_720],
  ])('and what Fargate has is taken: %d units with %d MiB', (cpu, memoryMiB) => {
    expect(mistakesOf(changed({ service: { cpu, memoryMiB } }))).toEqual([]);
  });

  it('and a tenth more storage, a longer lease and any zone are taken', () => {
    expect(
      mistakesOf(
        changed({
          database: { storageGiB: 100, storageMaxGiB: 110 },
          failover: { authorityLeaseMs: 60_000, samplesToConfirm: 6 },
          network: {
            virginia: { ...config.network.virginia, availabilityZones: ['us-east-1d', 'us-east-1e', 'us-east-1f'] },
          },
        }),
      ),
    ).toEqual([]);
  });
});

describe('each mistake', () => {
  it('is told once, in a sentence that says what would be right', () => {
    const { account: _none, ...rest } = config;
    const wrong = {
      ...rest,
      logRetentionDays: 45,
      runbookUrl: 'wiki',
      service: { ...config.service, cpu: 300 },
      colour: 1,
    };
    expect([...mistakesOf(wrong)].sort()).toEqual([
      'account: is missing; it must be an AWS account: twelve digits',
      'colour: there is no such setting; is its name spelled right?',
      'logRetentionDays: 45 must be 7, 14, 30, 60, 90, 180 or 365',
      'runbookUrl: "wiki" must be an address that begins with https://',
      'service.cpu: 300 must be 256, 512, 1024, 2048 or 4096 units, of which 1024 are one processor',
    ]);
  });

  it('is told beside those of the same section, however wrong that is', () => {
    const service = { ...config.service, cpu: 256, memoryMiB: 30_720, tasksMin: 5, tasksMax: 2, colour: 'blue' };
    const oregon = { ...config.network.oregon, availabilityZones: ['us-west-2a', 7, 'us-west-2x'] };
    const places = mistakesOf({ ...config, service, network: { ...config.network, oregon } }).map(
      (mistake) => mistake.split(':')[0],
    );
    expect(places.sort()).toEqual([
      'network.oregon.availabilityZones',
      'network.oregon.availabilityZones.1',
      'service.colour',
      'service.memoryMiB',
      'service.tasksMax',
    ]);
  });

  it.each([null, undefined, 'text', 7, [], { network: null, service: 7, failover: 'x', database: [], domain: null }])(
    'is a ConfigurationError, never a crash: %j',
    (nonsense) => {
      expect(mistakesOf(nonsense as object).length).toBeGreaterThan(0);
    },
  );
});
