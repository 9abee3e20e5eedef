/**
 * Settings of a database that may become the primary one. The template creates it, and later the controller recreates
 * it under the same name. Both use these settings, so the template stays true.
 */
export interface FollowerSettings {
  readonly instanceClass: string;
  readonly multiAz: boolean;
  readonly backupRetentionDays: number;
  /** Daily, in UTC: `hh:mm-hh:mm`. */
  readonly backupWindow: string;
  /** Limit of the storage autoscaling. */
  readonly storageMaxGiB: number;
  readonly monitoringIntervalSeconds: number;
  readonly monitoringRoleArn: string;
  readonly certificateAuthority: string;
  readonly tags: Readonly<Record<string, string>>;
}

type Kind = 'string' | 'boolean' | 'number' | 'object';

const KINDS: { readonly [Name in keyof FollowerSettings]: Kind } = {
  instanceClass: 'string',
  multiAz: 'boolean',
  backupRetentionDays: 'number',
  backupWindow: 'string',
  storageMaxGiB: 'number',
  monitoringIntervalSeconds: 'number',
  monitoringRoleArn: 'string',
  certificateAuthority: 'string',
  tags: 'object',
};

/** The names of the settings that are missing or have the wrong type. */
export function invalidSettings(given: unknown): string[] {
  const settings = (given ?? {}) as Readonly<Record<string, unknown>>;
  return Object.entries(KINDS).flatMap(([name, kind]) => (typeof settings[name] === kind ? [] : [name]));
}
