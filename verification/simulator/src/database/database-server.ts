import type { Host } from '../topology/host';
import { happeningOf, nextEvent } from './audit-log';
import type { EpochRow, Tables, Write } from './tables';

interface Commit {
  readonly writes: readonly Write[];
  /** By the clock of the database that committed. */
  readonly atMs: number;
}

export const lsnText = (position: number): string => `0/${position.toString(16).toUpperCase()}`;

export const positionOf = (lsn: string): number => Number.parseInt(lsn.slice(lsn.indexOf('/') + 1), 16);

/**
 * One PostgreSQL: committed transactions in their order, and the rows that they make. What is committed is on disk and
 * survives its process. A follower has a prefix of its primary's transactions: received (and flushed), and of these
 * some are replayed.
 */
export class DatabaseServer {
  readonly host: Host;
  tables: Tables;
  role: 'primary' | 'follower';
  /** How often it, or what it was copied from, was promoted, and one. */
  era: number;
  /** Commits up to this position are in `tables`. */
  replayed: number;
  replayPaused = false;
  lastCommitAtMs: number | undefined;
  /** Told of every commit. */
  onCommit: () => void = () => undefined;
  readonly #log: Commit[] = [];
  /** Positions before this one are no longer kept: they came with a copy. */
  readonly #logFrom: number;
  /** Those who wait until something is replayed. */
  replayedBy: (position: number) => void = () => undefined;

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

  /** The last position that is flushed here. */
  get position(): number {
    return this.#logFrom + this.#log.length;
  }

  get newestEpoch(): EpochRow | undefined {
    return this.tables.newestEpoch;
  }

  /** A primary database commits, with the events of the audit log; the position after it. */
  commit(writes: readonly Write[]): number {
    if (this.role !== 'primary') throw new Error(`${this.host.name} follows: it commits nothing`);
    const written: Write[] = [];
    for (const write of writes) {
      const happening = happeningOf(write, this.tables);
      this.tables.apply(write);
      written.push(write);
      if (happening === undefined) continue;
      const event: Write = { table: 'event', row: nextEvent(happening, this) };
      this.tables.apply(event);
      written.push(event);
    }
    this.#log.push({ writes: written, atMs: this.host.wallMs() });
    this.replayed = this.position;
    this.onCommit();
    return this.position;
  }

  /** What comes after a position, up to another; undefined when that is no longer kept. */
  logBetween(from: number, to: number): readonly Commit[] | undefined {
    if (from < this.#logFrom) return undefined;
    return this.#log.slice(from - this.#logFrom, to - this.#logFrom);
  }

  /** A follower receives; it replays when it is told to. */
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

  /** Replays what it has received and follows no more. */
  promote(): void {
    if (this.role !== 'follower' || this.replayPaused) return;
    this.replay();
    this.role = 'primary';
    this.era += 1;
  }
}
