import type { Host } from '../topology/host';
import { auditedChangeOf, nextEvent } from './audit-log';
import type { SimulatedEpochRow, Tables, Write } from './tables';

interface Commit {
  readonly writes: readonly Write[];
  /** By the clock of the database that committed. */
  readonly atMs: number;
}

export const lsnText = (position: number): string => `0/${position.toString(16).toUpperCase()}`;

export const positionOf = (lsn: string): number => Number.parseInt(lsn.slice(lsn.indexOf('/') + 1), 16);

/**
 * One PostgreSQL server: committed transactions in order, and the rows that they produce. Commits survive a crash. A
 * follower has received and flushed a prefix of its primary's transactions, and replayed a prefix of those.
 */
export class DatabaseServer {
  readonly host: Host;
  tables: Tables;
  role: 'primary' | 'follower';
  /** Timeline: one plus the number of promotions of this server and of those it was copied from. */
  era: number;
  /** Commits up to this position are in `tables`. */
  replayed: number;
  replayPaused = false;
  lastCommitAtMs: number | undefined;
  /** Called after every commit. */
  onCommit: () => void = () => undefined;
  readonly #log: Commit[] = [];
  /** Earlier positions came with a base backup and are not in the log. */
  readonly #logFrom: number;

  constructor(options: {
    readonly host: Host;
    readonly tables: Tables;
    readonly role: 'primary' | 'follower';
    readonly position: number;
    readonly era: number;
  }) {
    this.host = options.host;
    this.tables = options.tables;
    this.role = options.role;
    this.era = options.era;
    this.#logFrom = options.position;
    this.replayed = options.position;
  }

  /** The last flushed position. */
  get position(): number {
    return this.#logFrom + this.#log.length;
  }

  get newestEpoch(): SimulatedEpochRow | undefined {
    return this.tables.newestEpoch;
  }

  /** Commits on a primary and appends the audit events. Returns the position after the commit. */
  commit(writes: readonly Write[]): number {
    if (this.role !== 'primary') throw new Error(`${this.host.name} is a follower and cannot commit`);
    const written: Write[] = [];
    for (const write of writes) {
      const change = auditedChangeOf(write, this.tables);
      this.tables.apply(write);
      written.push(write);
      if (change === undefined) continue;
      const event: Write = { table: 'event', row: nextEvent(change, this) };
      this.tables.apply(event);
      written.push(event);
    }
    this.#log.push({ writes: written, atMs: this.host.wallMs() });
    this.replayed = this.position;
    this.onCommit();
    return this.position;
  }

  /** Commits after `from` up to `to`; undefined when they are not in the log. */
  logBetween(from: number, to: number): readonly Commit[] | undefined {
    if (from < this.#logFrom) return undefined;
    return this.#log.slice(from - this.#logFrom, to - this.#logFrom);
  }

  /** Appends received commits without replaying them. */
  receive(commits: readonly Commit[]): void {
    this.#log.push(...commits);
  }

  replay(to = this.position): void {
    if (this.replayPaused || this.role !== 'follower') return;
    for (const commit of this.logBetween(this.replayed, to) ?? []) {
      for (const write of commit.writes) this.tables.apply(write);
      this.lastCommitAtMs = commit.atMs;
      this.replayed += 1;
    }
  }

  /** Replays all received commits and becomes a primary. */
  promote(): void {
    if (this.role !== 'follower' || this.replayPaused) return;
    this.replay();
    this.role = 'primary';
    this.era += 1;
  }
}
