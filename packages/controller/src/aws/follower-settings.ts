/**
 * What a database is made with that may become the primary one, whether by the template or, later and under the same
 * name, by the controller: a template stays true only when both say the same.
 */
export interface FollowerSettings {
  readonly instanceClass: string;
  readonly multiAz: boolean;
  readonly backupRetentionDays: number;
  /** As far as storage grows by itself. */
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
  storageMaxGiB: 'number',
  monitoringIntervalSeconds: 'number',
  monitoringRoleArn: 'string',
  certificateAuthority: 'string',
  tags: 'object',
};

/** The settings that are missing or of another kind than they must be. */
export function settingsMistakes(given: unknown): string[] {
  const settings = (given ?? {}) as Readonly<Record<string, unknown>>;
  return Object.entries(KINDS).flatMap(([name, kind]) => (typeof settings[name] === kind ? [] : [name]));
}
