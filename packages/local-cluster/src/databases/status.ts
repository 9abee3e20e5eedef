import { lsnBytes } from '@evergrant/core/lsn';
import type { Region } from '@evergrant/core/regions';
import { STANDBY_NAME } from './ha-pair';
import type { ManagedInstance } from './managed-instance';
import type { DatabasesState, FollowerName } from './state-file';

/** The role of a region's databases. `building`: an operation is running; `failed`: the last operation failed. */
export interface RegionDatabases {
  readonly region: Region;
  readonly state: 'running' | 'kept' | 'building' | 'following' | 'failed';
  /** The reason of the failure. */
  readonly because?: string;
}

/** The status of one instance. `summary` is for people. */
export interface DatabaseStatus {
  readonly name: string;
  readonly role: 'primary' | 'standby' | 'follower' | 'store' | 'none';
  /** `starting`: it runs but has not answered yet; `hanging`: it has not answered for a long time. */
  readonly state: 'running' | 'starting' | 'hanging' | 'ended';
  readonly pid: number | undefined;
  readonly port: number;
  /** Undefined before the first answer. */
  readonly inRecovery: boolean | undefined;
  /** It is receiving WAL from its source. */
  readonly isStreaming: boolean;
  /** Commits wait for it and it has every acknowledged commit, so it may take over. */
  readonly isInSync: boolean;
  /** WAL of its source that it has not received; undefined when one of the positions is unknown. */
  readonly lagBytes: number | undefined;
  readonly isHealthy: boolean;
  /** For example `standby, in sync`. */
  readonly summary: string;
}

export interface StatusInput {
  readonly instance: ManagedInstance;
  readonly state: DatabasesState;
  /** The primary database that it follows or is; undefined when there is none. */
  readonly source: ManagedInstance | undefined;
  readonly hangAfterMs: number;
}

export function statusOf(input: StatusInput): DatabaseStatus {
  const { instance, state: databases } = input;
  const role = roleOf(input);
  const state = stateOf(input);
  const isInSync =
    role === 'standby' && databases.isStandbyEligible && input.source?.health.latest?.senders.some(isStandby) === true;
  const facts = {
    name: instance.name,
    role,
    state,
    pid: instance.postgres.pid,
    port: instance.postgres.port,
    inRecovery: instance.health.latest?.inRecovery,
    isStreaming: instance.isStreaming,
    isInSync,
    lagBytes: lagOf(input),
  };
  return { ...facts, isHealthy: isHealthy(facts), summary: summaryOf(facts) };
}

const isStandby = ({ name, state }: { name: string; state: string }) => name === STANDBY_NAME && state === 'streaming';

type Facts = Omit<DatabaseStatus, 'isHealthy' | 'summary'>;

function roleOf({ instance, state: databases }: StatusInput): DatabaseStatus['role'] {
  if (instance.name === 'ohio/db') return 'store';
  const region: Region = instance.name === 'virginia/db' ? 'virginia' : 'oregon';
  const { state } = databases.regions[region];
  if (state === 'kept' || state === 'building') return 'none';
  if (region === 'virginia') return state === 'running' ? 'primary' : 'follower';
  if (state === 'following') return instance.name === databases.primary ? 'follower' : 'none';
  if (instance.name === databases.primary) return 'primary';
  return databases.lineages[instance.name as FollowerName] === 'stale' && !instance.postgres.isRunning
    ? 'none'
    : 'standby';
}

function stateOf({ instance, hangAfterMs }: StatusInput): DatabaseStatus['state'] {
  if (!instance.postgres.isRunning) return 'ended';
  if (instance.health.silentMs > hangAfterMs) return 'hanging';
  return instance.health.latest === undefined ? 'starting' : 'running';
}

function lagOf({ instance, source }: StatusInput): number | undefined {
  const [sourceLsn, lsn] = [source?.health.latest?.lsn, instance.health.latest?.lsn];
  if (source === instance || !sourceLsn || !lsn) return undefined;
  return Math.max(0, Number(lsnBytes(sourceLsn) - lsnBytes(lsn)));
}

function isHealthy({ role, state, inRecovery, isStreaming }: Facts): boolean {
  if (state !== 'running') return false;
  return role === 'primary' || role === 'store' ? inRecovery === false : isStreaming;
}

function summaryOf(facts: Facts): string {
  const { role, state, isStreaming, isInSync, inRecovery } = facts;
  if (state !== 'running') return role === 'none' ? 'not in use' : `${role}, ${state}`;
  switch (role) {
    case 'none':
      return 'not in use';
    case 'store':
      return 'authority store';
    case 'primary':
      return inRecovery ? 'primary, being promoted' : 'primary';
    case 'standby':
      return isInSync ? 'standby, in sync' : isStreaming ? 'standby, catching up' : 'standby, not streaming';
    case 'follower':
      return isStreaming ? 'follower, streaming' : 'follower, not streaming';
  }
}
