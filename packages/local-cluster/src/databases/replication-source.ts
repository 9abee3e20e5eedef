import { lsnBytes } from '@evergrant/core/lsn';
import { Client, type ClientConfig } from 'pg';
import type { Following, ManagedInstance } from './managed-instance';
import { REPLICATION_ROLE } from './roles';

/** The primary database that an instance follows, and the connection to it: direct or through a network link. */
export interface ReplicationSource {
  readonly following: Following;
  /** Connection of the replication role, for copies. */
  readonly connection: ClientConfig;
  /** The primary database; undefined while there is none. */
  readonly primary: () => ManagedInstance | undefined;
}

export function createReplicationSource(
  port: number,
  applicationName: string,
  options: { readonly replicationPassword: string; readonly primary: () => ManagedInstance | undefined },
): ReplicationSource {
  const connection: ClientConfig = {
    host: '127.0.0.1',
    port,
    user: REPLICATION_ROLE,
    password: options.replicationPassword,
    connectionTimeoutMillis: 5_000,
  };
  return { following: { port, applicationName }, connection, primary: options.primary };
}

/** Whether the source accepts a replication connection now. */
export async function isReachable({ connection }: ReplicationSource): Promise<boolean> {
  const client = new Client({ ...connection, connectionTimeoutMillis: 2_000, replication: 'true' } as ClientConfig);
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    client.end().catch(() => undefined);
  }
}

/** By timeline: the WAL position at which the primary database's history left it. */
export type SwitchPoints = ReadonlyMap<number, bigint>;

/** Reads the history of a primary database's current timeline. Empty for the first timeline. */
export async function readSwitchPoints(primary: ManagedInstance, timeline: number): Promise<SwitchPoints> {
  if (timeline === 1) return new Map();
  const file = `pg_wal/${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
  const [row] = await primary.postgres.query<{ history: string }>('select pg_read_file($1) as history', [file], {
    query_timeout: 2_000,
    connectionTimeoutMillis: 2_000,
  });
  return parseHistory(row?.history ?? '');
}

/** Parses a timeline history file: lines of `timeline <tab> switch point <tab> reason`. */
export function parseHistory(history: string): SwitchPoints {
  const switchPoints = new Map<number, bigint>();
  for (const line of history.split('\n')) {
    const [timeline, switchPoint] = line.trim().split(/\s+/);
    if (timeline && switchPoint && /^\d+$/.test(timeline)) switchPoints.set(Number(timeline), lsnBytes(switchPoint));
  }
  return switchPoints;
}

/** A follower is ahead when it holds WAL of a timeline beyond the point at which its source left that timeline. */
export function isAhead(follower: { timeline: number; lsn: string }, switchPoints: SwitchPoints): boolean {
  const leftAt = switchPoints.get(follower.timeline);
  return leftAt !== undefined && lsnBytes(follower.lsn) > leftAt;
}
