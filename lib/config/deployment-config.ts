import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import { type Static, Type } from '@sinclair/typebox';
import { Value, ValuePointer } from '@sinclair/typebox/value';
import { type Fitting, relationMistakes } from './cross-field-rules';
import { CPU_UNITS } from './fargate-sizes';
import { mistakeOf, oneOf } from './validation-errors';

const closed = { additionalProperties: false } as const;
const LOG_RETENTION_DAYS = [7, 14, 30, 60, 90, 180, 365] as const;
const Seconds = whole(1, 86_400, 'seconds');
const HostName = Type.String({
  pattern: '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$',
  description: 'a host name in lower case, without a dot at its end',
});

function whole(minimum: number, maximum: number, of = '') {
  const words = `a whole number${of === '' ? '' : ` of ${of}`}, ${minimum} to ${maximum}`;
  return Type.Integer({ minimum, maximum, description: words });
}

function choice<Choice extends number>(values: readonly Choice[], of = '') {
  return Type.Union(
    values.map((value) => Type.Literal(value)),
    { description: `${oneOf(values)}${of}` },
  );
}

const RegionNetwork = Type.Object(
  {
    cidr: Type.String({
      pattern: '^10\\.(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)\\.0\\.0/16$',
      description: 'a /16 of 10.0.0.0/8, for example 10.10.0.0/16; the regions must differ',
    }),
    availabilityZones: Type.Array(Type.String(), {
      minItems: 3,
      maxItems: 3,
      uniqueItems: true,
      description: 'three zones of the region',
    }),
    natGateways: whole(1, 3),
  },
  closed,
);

/** The one configuration of a deployment. */
export const DeploymentConfigSchema = Type.Object(
  {
    /**
     * Names everything but the stacks, and is never changed: every database would be another one. An account has one
     * deployment: stacks and metrics have the same names in each.
     */
    deployment: Type.String({
      // What load balancers, databases and documents all take as the beginning of a name.
      pattern: '^(?!aws|amazon|amzn|internal-)(?!.*--)[a-z][a-z0-9-]{1,20}[a-z0-9]$',
      description:
        '3 to 22 lower-case letters, digits and single hyphens that do not begin with aws, amazon, amzn or internal-',
    }),
    account: Type.String({ pattern: '^\\d{12}$', description: 'an AWS account: twelve digits' }),
    domain: Type.Object(
      {
        /** What Control Rooms are configured with. */
        publicName: HostName,
        /** The public hosted zone that holds it. */
        zoneName: HostName,
        hostedZoneId: Type.String({
          pattern: '^Z[A-Z0-9]{5,31}$',
          description: 'what Route 53 calls the zone: Z and capitals and digits',
        }),
      },
      closed,
    ),
    network: Type.Object({ oregon: RegionNetwork, virginia: RegionNetwork }, closed),
    database: Type.Object(
      {
        instanceClass: Type.String({
          pattern: '^db\\.[a-z0-9]+\\.[a-z0-9]+$',
          description: 'a class of RDS instances, for example db.m7g.large',
        }),
        storageGiB: whole(20, 65_536, 'GiB'),
        /** How far the storage may grow by itself; RDS asks for 10 % above it at least. */
        storageMaxGiB: whole(20, 65_536, 'GiB'),
        /** Standby inside the region, for each of the two databases. */
        multiAz: Type.Object({ oregon: Type.Boolean(), virginia: Type.Boolean() }, closed),
        backupRetentionDays: whole(1, 35, 'days'),
      },
      closed,
    ),
    service: Type.Object(
      {
        /** `build`: from packages/server/Dockerfile, by whoever deploys. Otherwise an image that both regions can pull. */
        image: Type.String({ minLength: 1, description: '"build", or the name of an image' }),
        /** Processor and memory as Fargate has them together, see fargate-sizes.ts. */
        cpu: choice(CPU_UNITS, ' units, of which 1024 are one processor'),
        memoryMiB: whole(512, 30_720, 'MiB'),
        tasksMin: whole(1, 100),
        tasksMax: whole(1, 100),
      },
      closed,
    ),
    /** Whose license files count: public keys only, see docs/licensing.md. */
    licenseTrust: Type.Object(
      {
        roots: Type.Array(
          Type.Object(
            {
              kty: Type.Literal('OKP'),
              crv: Type.Literal('Ed25519'),
              x: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
              kid: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
              role: Type.Literal('root'),
            },
            closed,
          ),
          { minItems: 1 },
        ),
        withdrawnKeys: Type.Optional(Type.Array(Type.String())),
        keygenPublicKeys: Type.Optional(Type.Array(Type.String())),
      },
      closed,
    ),
    /** Requests of one address in five minutes before the web ACL refuses it. */
    rateLimitPerFiveMinutes: whole(100, 2_000_000, 'requests'),
    alerts: Type.Object(
      {
        emails: Type.Array(
          Type.String({ pattern: '^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$', description: 'an e-mail address' }),
          { minItems: 1, uniqueItems: true, description: 'the addresses of whoever is on call, each once' },
        ),
      },
      closed,
    ),
    /** Where people on call find docs/runbook.md. */
    runbookUrl: Type.String({ pattern: '^https://\\S+$', description: 'an address that begins with https://' }),
    /** Thresholds of the failover that differ from the defaults of packages/controller/src/core/policy.ts. */
    failover: Type.Partial(
      Type.Object(
        Object.fromEntries(Object.keys(DEFAULT_POLICY).map((name) => [name, whole(1, 1_000_000_000)])),
        closed,
      ),
      closed,
    ),
    thresholds: Type.Object(
      {
        replicaLagSeconds: Seconds,
        slotLagMiB: whole(1, 33_554_432, 'MiB'),
        responseSeconds: Type.Number({ exclusiveMinimum: 0, maximum: 60, description: 'above 0 and at most 60' }),
        failureRatePercent: Type.Number({ exclusiveMinimum: 0, maximum: 100, description: 'above 0 and at most 100' }),
        denialsPerFiveMinutes: whole(1, 1_000_000_000),
        unarmedSeconds: Seconds,
      },
      closed,
    ),
    logRetentionDays: choice(LOG_RETENTION_DAYS),
  },
  closed,
);

export type DeploymentConfig = Static<typeof DeploymentConfigSchema>;

/** Every mistake of a configuration, each with its place. */
export class ConfigurationError extends Error {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(`deployment.config.ts cannot be deployed:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
    this.name = 'ConfigurationError';
    this.mistakes = mistakes;
  }
}

/** Checks a configuration as a whole. @throws ConfigurationError with every mistake */
export function checkedConfig(config: unknown): DeploymentConfig {
  const errors = [...Value.Errors(DeploymentConfigSchema, config)];
  // One sentence a place: what is missing is also of the wrong type.
  const mistakes = new Map<string, string>();
  for (const error of errors) if (!mistakes.has(error.path)) mistakes.set(error.path, mistakeOf(error));
  const found = [...mistakes.values(), ...relationMistakes(fittingPart(config, [...mistakes.keys()]))];
  if (found.length > 0) throw new ConfigurationError(found);
  return config as DeploymentConfig;
}

/** The configuration without what does not fit, so that the rest can be looked at as well. */
function fittingPart(config: unknown, wrongPaths: readonly string[]): Fitting<DeploymentConfig> {
  if (wrongPaths.includes('')) return {};
  const part = Value.Clone(config);
  for (const path of wrongPaths) ValuePointer.Set(part, path, undefined);
  return part as Fitting<DeploymentConfig>;
}
