import { lsnBytes } from '@evergrant/core/lsn';
import { Client, type ClientConfig } from 'pg';
import type { Following, ManagedInstance } from './managed-instance';
import { REPLICATION_ROLE } from './roles';

/** Whom a follower follows, and the way there: directly, or over a link between the regions. */
export interface Source {
  readonly following: Following;
  /** For copies: the same way, by the replication role. */
  readonly connection: ClientConfig;
  /** The primary database behind it; undefined while there is none. */
  readonly primary: () => ManagedInstance | undefined;
}

export function createReplicationSource(
  port: number,
  applicationName: string,
  options: { readonly replicationPassword: string; readonly primary: () => ManagedInstance | undefined },
): Source {
  const connection: ClientConfig = {
    host: '127.0.0.1',
    port,
    user: REPLICATION_ROLE,
    password: options.replicationPassword,
    connectionTimeoutMillis: 5_000,
  };
  return { following: { port, applicationName }, connection, primary: options.primary };
}

/** Whether the source lets a follower in by that way now. */
export async function isReachable({ connection }: Source): Promise<boolean> {
  const visitor = new Client({ ...connection, connectionTimeoutMillis: 2_000, replication: 'true' } as ClientConfig);
  visitor.on('error', () => undefined);
  try {
    await visitor.connect();
    return true;
  } catch {
    return false;
  } finally {
    visitor.end().catch(() => undefined);
  }
}

/** Where a primary database's history left each earlier timeline, by timeline. */
export type Switches = ReadonlyMap<number, bigint>;

/** Reads the history of the timeline that a primary database is on. Empty for a timeline without a history. */
export async function readSwitches(primary: ManagedInstance, timeline: number): Promise<Switches> {
  if (timeline === 1) return new Map();
  const file = `pg_wal/${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
  const [row] = await primary.postgres.query<{ history: string }>('select pg_read_file($1) as history', [file], {
    query_timeout: 2_000,
    connectionTimeoutMillis: 2_000,
  });
  return parseHistory(row?.history ?? '');
}

/** Lines of `timeline <tab> switch point <tab> reason`. */
export function parseHistory(history: string): Switches {
  const switches = new Map<number, bigint>();
  for (const line of history.split('\n')) {
    const [timeline, switchPoint] = line.trim().split(/\s+/);
    if (timeline && switchPoint && /^\d+$/.test(timeline)) switches.set(Number(timeline), lsnBytes(switchPoint));
  }
  return switches;
}

/** A follower on a timeline that its source left before that point holds what the source never had. */
export function isAhead(follower: { timeline: number; lsn: string }, switches: Switches): boolean {
  const leftAt = switches.get(follower.timeline);
  return leftAt !== undefined && lsnBytes(follower.lsn) > leftAt;
}
