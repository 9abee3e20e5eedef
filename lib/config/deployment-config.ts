import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import { type Static, Type } from '@sinclair/typebox';
import { Value, ValuePointer } from '@sinclair/typebox/value';
import { crossFieldErrors, type ValidPart } from './cross-field-rules';
import { CPU_UNITS } from './fargate-sizes';
import { oneOfLiterals, validationMessage } from './validation-errors';

const closed = { additionalProperties: false } as const;
const LOG_RETENTION_DAYS = [7, 14, 30, 60, 90, 180, 365] as const;
const Seconds = whole(1, 86_400, 'seconds');
const HostName = Type.String({
  pattern: '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$',
  description: 'a host name in lower case, without a dot at its end',
});

function whole(minimum: number, maximum: number, of = '') {
  const description = `a whole number${of === '' ? '' : ` of ${of}`}, ${minimum} to ${maximum}`;
  return Type.Integer({ minimum, maximum, description });
}

function choice<Choice extends number>(values: readonly Choice[], of = '') {
  return Type.Union(
    values.map((value) => Type.Literal(value)),
    { description: `${oneOfLiterals(values)}${of}` },
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
     * Prefix of all names except those of the stacks. It must never change, because a new name means new databases. An
     * account holds one deployment, because stacks and metrics have the same names in every deployment.
     */
    deployment: Type.String({
      // Valid as the beginning of the name of a load balancer, a database and a Systems Manager document.
      pattern: '^(?!aws|amazon|amzn|internal-)(?!.*--)[a-z][a-z0-9-]{1,20}[a-z0-9]$',
      description:
        '3 to 22 lower-case letters, digits and single hyphens that do not begin with aws, amazon, amzn or internal-',
    }),
    account: Type.String({ pattern: '^\\d{12}$', description: 'an AWS account: twelve digits' }),
    domain: Type.Object(
      {
        /** The host name in the configuration of the Control Rooms. */
        publicName: HostName,
        /** The public hosted zone of `publicName`. */
        zoneName: HostName,
        hostedZoneId: Type.String({
          pattern: '^Z[A-Z0-9]{5,31}$',
          description: 'the id of a Route 53 hosted zone: Z, then capitals and digits',
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
        /** Limit of the automatic storage growth. RDS requires at least 10 % above `storageGiB`. */
        storageMaxGiB: whole(20, 65_536, 'GiB'),
        /** Whether each database has a standby inside its region. */
        multiAz: Type.Object({ oregon: Type.Boolean(), virginia: Type.Boolean() }, closed),
        backupRetentionDays: whole(1, 35, 'days'),
      },
      closed,
    ),
    service: Type.Object(
      {
        /** `build` builds packages/server/Dockerfile during the deploy. Otherwise an image that both regions can pull. */
        image: Type.String({ minLength: 1, description: '"build", or the name of an image' }),
        /** A combination of processor and memory that Fargate supports, see fargate-sizes.ts. */
        cpu: choice(CPU_UNITS, ' units, of which 1024 are one processor'),
        memoryMiB: whole(512, 30_720, 'MiB'),
        tasksMin: whole(1, 100),
        tasksMax: whole(1, 100),
      },
      closed,
    ),
    /** The trusted vendor roots of license files: public keys only, see docs/licensing.md. */
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
    /** Maximum number of requests per address in five minutes. The web ACL blocks further requests. */
    rateLimitPerFiveMinutes: whole(100, 2_000_000, 'requests'),
    alerts: Type.Object(
      {
        emails: Type.Array(
          Type.String({ pattern: '^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$', description: 'an e-mail address' }),
          { minItems: 1, uniqueItems: true, description: 'the addresses of the people on call, each once' },
        ),
      },
      closed,
    ),
    /** Published address of docs/runbook.md. Alarms and alerts link to it. */
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

/** All validation errors of a configuration, each with the path of its setting. */
export class ConfigurationError extends Error {
  readonly errors: readonly string[];

  constructor(errors: readonly string[]) {
    super(`deployment.config.ts is not valid:\n${errors.map((error) => `  - ${error}`).join('\n')}`);
    this.name = 'ConfigurationError';
    this.errors = errors;
  }
}

/** Validates a configuration. @throws ConfigurationError with all validation errors */
export function checkedConfig(config: unknown): DeploymentConfig {
  const errors = [...Value.Errors(DeploymentConfigSchema, config)];
  // Only the first error of each path: a missing value also has the wrong type.
  const messages = new Map<string, string>();
  for (const error of errors) if (!messages.has(error.path)) messages.set(error.path, validationMessage(error));
  const all = [...messages.values(), ...crossFieldErrors(validPart(config, [...messages.keys()]))];
  if (all.length > 0) throw new ConfigurationError(all);
  return config as DeploymentConfig;
}

/** The configuration without its invalid values, so that the cross-field rules can check the rest. */
function validPart(config: unknown, invalidPaths: readonly string[]): ValidPart<DeploymentConfig> {
  if (invalidPaths.includes('')) return {};
  const part = Value.Clone(config);
  for (const path of invalidPaths) ValuePointer.Set(part, path, undefined);
  return part as ValidPart<DeploymentConfig>;
}
