import { config } from '../../deployment.config';
import { ConfigurationError, checkedConfig, type DeploymentConfig } from '../../lib/config/deployment-config';

function errorsOf(changed: object): readonly string[] {
  try {
    checkedConfig(changed);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.errors;
  }
}

describe('configuration', () => {
  it('accepts the example', () => {
    expect(checkedConfig(config)).toBe(config);
  });

  it('reports every validation error with its setting', () => {
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
    const errors = errorsOf(wrong).join('\n');
    for (const place of [
      'account:',
      'domain.publicName: licenses.elsewhere.org is not in the zone example.com',
      'network.virginia.cidr:',
      'service.tasksMax:',
      'alerts.emails:',
      'failover.samplesToConfirm:',
      'colour:',
    ]) {
      expect(errors).toContain(place);
    }
  });

  it('reports every missing setting of an empty configuration', () => {
    expect(errorsOf({}).length).toBeGreaterThan(5);
  });

  it('refuses a zone of another region', () => {
    const zones: DeploymentConfig['network']['oregon'] = {
      ...config.network.oregon,
      availabilityZones: ['us-west-2a', 'us-west-2b', 'us-east-1a'],
    };
    expect(errorsOf({ ...config, network: { ...config.network, oregon: zones } })).toEqual([
      'network.oregon.availabilityZones: us-east-1a is not a zone of the region; its zones are us-west-2a to us-west-2d',
    ]);
  });

  it('refuses a sample gap that is shorter than the longest pause of the schedule', () => {
    expect(errorsOf({ ...config, failover: { sampleGapMaxMs: 22_000 } })).toEqual([
      'failover.sampleGapMaxMs: must be longer than 22000, the longest pause between two invocations of the schedule',
    ]);
  });
});

type Parts = { readonly [Part in keyof DeploymentConfig]?: DeploymentConfig[Part] extends object ? object : unknown };

/** The example with changed settings. */
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

describe('configuration: refuses at synthesis what AWS or the product would refuse later', () => {
  it.each<[string, Parts, string]>([
    [
      'a memory size that Fargate does not offer for the CPU units',
      { service: { cpu: 256, memoryMiB: 30_720 } },
      'service.memoryMiB: ',
    ],
    ['a memory size between two sizes of Fargate', { service: { cpu: 1024, memoryMiB: 2_500 } }, 'service.memoryMiB: '],
    ['CPU units that Fargate does not offer', { service: { cpu: 300 } }, 'service.cpu: '],
    ['an invalid address range', zones('10.999.0.0/16'), 'network.oregon.cidr: '],
    ['an address range with a leading zero', zones('10.010.0.0/16'), 'network.oregon.cidr: '],
    [
      'an unknown zone',
      zones('10.10.0.0/16', ['us-west-2a', 'us-west-2b', 'us-west-2zz']),
      'network.oregon.availabilityZones: us-west-2zz',
    ],
    [
      'a Local Zone',
      zones('10.10.0.0/16', ['us-west-2a', 'us-west-2b', 'us-west-2-lax-1a']),
      'network.oregon.availabilityZones: us-west-2-lax-1a',
    ],
    ['a fraction of a sample', { failover: { samplesToConfirm: 2.5 } }, 'failover.samplesToConfirm: '],
    ['a fraction of a millisecond', { failover: { skewMs: 0.5 } }, 'failover.skewMs: '],
    ['an authority lease of 1 ms', { failover: { authorityLeaseMs: 1 } }, 'failover.authorityLeaseMs: '],
    [
      'an authority lease that is shorter than the renewal interval',
      { failover: { authorityLeaseMs: 4_000 } },
      'failover.authorityLeaseMs: ',
    ],
    [
      'an authority lease that is too short for three missed renewals',
      { failover: { authorityLeaseMs: 15_000 } },
      'failover.authorityLeaseMs: ',
    ],
    ['a clock skew as long as the authority lease', { failover: { skewMs: 30_000 } }, 'failover.skewMs: '],
    [
      'a drain limit below the at-rest time of the follower',
      { failover: { drainMaxMs: 4_000 } },
      'failover.drainMaxMs: ',
    ],
    ['an unknown threshold', { failover: { samplesToConfrim: 3 } }, 'failover.samplesToConfrim: '],
    [
      'a storage limit less than 10 % above the storage',
      { database: { storageGiB: 100, storageMaxGiB: 101 } },
      'database.storageMaxGiB: ',
    ],
    [
      'a replication slot limit that can fill the disk',
      { database: { storageGiB: 20, storageMaxGiB: 50 }, thresholds: { slotLagMiB: 10_240 } },
      'thresholds.slotLagMiB: ',
    ],
    ['a name that RDS refuses', { deployment: 'ever--grant' }, 'deployment: '],
    ['a name that Systems Manager refuses', { deployment: 'aws-licenses' }, 'deployment: '],
    [
      'a name that is too long for a certificate',
      { domain: { publicName: `${'a'.repeat(63)}.example.com` } },
      'domain.publicName: ',
    ],
    ['an invalid host name', { domain: { publicName: '-licenses.example.com' } }, 'domain.publicName: '],
    ['a maximum number of tasks below the minimum', { service: { tasksMin: 4, tasksMax: 3 } }, 'service.tasksMax: '],
  ])('%s', (_what, parts, place) => {
    const errors = errorsOf(changed(parts));
    expect(errors.filter((message) => message.startsWith(place))).toHaveLength(1);
    expect(
      errors.filter((message) => !message.startsWith(place)).filter((message) => !/^network.virginia/.test(message)),
    ).toEqual([]);
  });

  it.each([
    [256, 512],
    [512, 4_096],
    [1024, 8_192],
    [2048, 16_384],
    [4096, 30_720],
  ])('accepts a size of Fargate: %d units with %d MiB', (cpu, memoryMiB) => {
    expect(errorsOf(changed({ service: { cpu, memoryMiB } }))).toEqual([]);
  });

  it('accepts 10 % more storage, a longer authority lease and any zone of the region', () => {
    expect(
      errorsOf(
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

describe('validation error', () => {
  it('is reported once per setting, with the expected value', () => {
    const { account: _none, ...rest } = config;
    const wrong = {
      ...rest,
      logRetentionDays: 45,
      runbookUrl: 'wiki',
      service: { ...config.service, cpu: 300 },
      colour: 1,
    };
    expect([...errorsOf(wrong)].sort()).toEqual([
      'account: is missing; it must be an AWS account: twelve digits',
      'colour: unknown setting; check the spelling',
      'logRetentionDays: 45 must be 7, 14, 30, 60, 90, 180 or 365',
      'runbookUrl: "wiki" must be an address that begins with https://',
      'service.cpu: 300 must be 256, 512, 1024, 2048 or 4096 units, of which 1024 are one processor',
    ]);
  });

  it('is reported together with the errors of the same section', () => {
    const service = { ...config.service, cpu: 256, memoryMiB: 30_720, tasksMin: 5, tasksMax: 2, colour: 'blue' };
    const oregon = { ...config.network.oregon, availabilityZones: ['us-west-2a', 7, 'us-west-2x'] };
    const places = errorsOf({ ...config, service, network: { ...config.network, oregon } }).map(
      (message) => message.split(':')[0],
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
    'is a ConfigurationError for any value: %j',
    (nonsense) => {
      expect(errorsOf(nonsense as object).length).toBeGreaterThan(0);
    },
  );
});
