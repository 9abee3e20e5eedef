import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { DEFAULT_POLICY } from '../../lambda/failover/core/policy';
import { addressPlanMistakes } from './address-plan';

const closed = { additionalProperties: false } as const;
const Seconds = Type.Integer({ minimum: 1, maximum: 86_400 });

const RegionNetwork = Type.Object(
  {
    cidr: Type.String({
      pattern: '^10\\.\\d{1,3}\\.0\\.0/16$',
      description: 'a /16 of 10.0.0.0/8; the regions must differ',
    }),
    availabilityZones: Type.Array(Type.String({ minLength: 1 }), { minItems: 3, maxItems: 3, uniqueItems: true }),
    natGateways: Type.Integer({ minimum: 1, maximum: 3 }),
  },
  closed,
);

/** The one configuration of a deployment. */
export const DeploymentConfigSchema = Type.Object(
  {
    /** Names everything; two deployments in one account have two names. */
    deployment: Type.String({ pattern: '^[a-z][a-z0-9-]{1,20}[a-z0-9]$' }),
    account: Type.String({ pattern: '^\\d{12}$', description: 'an AWS account: twelve digits' }),
    domain: Type.Object(
      {
        /** What Control Rooms are configured with. */
        publicName: Type.String({ pattern: '^([a-z0-9-]+\\.)+[a-z]{2,}$' }),
        /** The public hosted zone that holds it. */
        zoneName: Type.String({ pattern: '^([a-z0-9-]+\\.)+[a-z]{2,}$' }),
        hostedZoneId: Type.String({ pattern: '^Z[A-Z0-9]{5,31}$' }),
      },
      closed,
    ),
    network: Type.Object({ oregon: RegionNetwork, virginia: RegionNetwork }, closed),
    database: Type.Object(
      {
        instanceClass: Type.String({ pattern: '^db\\.[a-z0-9]+\\.[a-z0-9]+$' }),
        storageGiB: Type.Integer({ minimum: 20, maximum: 65_536 }),
        storageMaxGiB: Type.Integer({ minimum: 20, maximum: 65_536 }),
        /** Standby inside the region, for each of the two databases. */
        multiAz: Type.Object({ oregon: Type.Boolean(), virginia: Type.Boolean() }, closed),
        backupRetentionDays: Type.Integer({ minimum: 1, maximum: 35 }),
      },
      closed,
    ),
    service: Type.Object(
      {
        /** `build`: from server/Dockerfile, by whoever deploys. Otherwise an image that both regions can pull. */
        image: Type.String({ minLength: 1 }),
        cpu: Type.Union([256, 512, 1024, 2048, 4096].map((units) => Type.Literal(units))),
        memoryMiB: Type.Integer({ minimum: 512, maximum: 30_720 }),
        tasksMin: Type.Integer({ minimum: 1, maximum: 100 }),
        tasksMax: Type.Integer({ minimum: 1, maximum: 100 }),
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
    rateLimitPerFiveMinutes: Type.Integer({ minimum: 100, maximum: 2_000_000 }),
    alerts: Type.Object(
      { emails: Type.Array(Type.String({ pattern: '^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$' }), { minItems: 1 }) },
      closed,
    ),
    /** Where people on call find docs/runbook.md. */
    runbookUrl: Type.String({ pattern: '^https://\\S+$' }),
    /** Thresholds of the failover that differ from the defaults of lambda/failover/core/policy.ts. */
    failover: Type.Partial(
      Type.Object(
        Object.fromEntries(Object.keys(DEFAULT_POLICY).map((name) => [name, Type.Number({ exclusiveMinimum: 0 })])),
        closed,
      ),
      closed,
    ),
    thresholds: Type.Object(
      {
        replicaLagSeconds: Seconds,
        slotLagMiB: Type.Integer({ minimum: 1 }),
        responseSeconds: Type.Number({ exclusiveMinimum: 0, maximum: 60 }),
        failureRatePercent: Type.Number({ exclusiveMinimum: 0, maximum: 100 }),
        denialsPerFiveMinutes: Type.Integer({ minimum: 1 }),
        unarmedSeconds: Seconds,
      },
      closed,
    ),
    logRetentionDays: Type.Union([7, 14, 30, 60, 90, 180, 365].map((days) => Type.Literal(days))),
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
  const mistakes = [...Value.Errors(DeploymentConfigSchema, config)].map(
    ({ path, message }) => `${path.slice(1).replaceAll('/', '.') || 'configuration'}: ${message}`,
  );
  // Relations are checked as far as what they relate is there.
  mistakes.push(...relationMistakes(config as DeploymentConfig));
  if (mistakes.length > 0) throw new ConfigurationError([...new Set(mistakes)]);
  return config as DeploymentConfig;
}

function relationMistakes({ domain, network, database, service, failover }: Partial<DeploymentConfig>): string[] {
  const mistakes: string[] = [];
  if (
    domain !== undefined &&
    domain.publicName !== domain.zoneName &&
    !`${domain.publicName}`.endsWith(`.${domain.zoneName}`)
  ) {
    mistakes.push(`domain.publicName: ${domain.publicName} is not in the zone ${domain.zoneName}`);
  }
  if (network !== undefined) mistakes.push(...addressPlanMistakes(network));
  if (database !== undefined && database.storageMaxGiB < database.storageGiB) {
    mistakes.push('database.storageMaxGiB: is below database.storageGiB');
  }
  if (service !== undefined && service.tasksMax < service.tasksMin)
    mistakes.push('service.tasksMax: is below service.tasksMin');
  mistakes.push(...failoverMistakes({ ...DEFAULT_POLICY, ...failover }));
  return mistakes;
}

function failoverMistakes({ sampleEveryMs, sampleGapMaxMs, samplesToConfirm }: typeof DEFAULT_POLICY): string[] {
  const mistakes: string[] = [];
  if (samplesToConfirm < 2) mistakes.push('failover.samplesToConfirm: one look is no evidence; at least 2');
  // The schedule has minutes: five samples an invocation, the last one 40 s after the first.
  if (sampleEveryMs > 10_000)
    mistakes.push('failover.sampleEveryMs: five samples must fit into a minute; at most 10000');
  if (sampleGapMaxMs <= 60_000 - 4 * sampleEveryMs) {
    mistakes.push('failover.sampleGapMaxMs: must be longer than the pause between two invocations of the schedule');
  }
  return mistakes;
}
