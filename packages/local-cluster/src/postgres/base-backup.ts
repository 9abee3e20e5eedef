import { Client, type ClientConfig, type Connection } from 'pg';
import { TarReader } from './tar-reader';

export interface BaseBackupOptions {
  /** How to reach the source; the role needs the right to replicate. */
  readonly source: ClientConfig;
  /** An empty directory. */
  readonly target: string;
  /** Gives up when nothing has arrived for so long. */
  readonly silentAfterMs: number;
}

/** What a message of the copy stream is about (PostgreSQL's protocol, chapter "Streaming Replication Protocol"). */
const NEW_ARCHIVE = 'n';
const CONTENT = 'd';

/**
 * Copies a running cluster over the network, as pg_basebackup does: the server streams its files and the WAL needed
 * to make them consistent. Everything passes through the one connection, so a cut link stops it.
 */
export async function takeBaseBackup({ source, target, silentAfterMs }: BaseBackupOptions): Promise<void> {
  // `replication` makes the server read replication commands; pg's typings do not know it.
  const client = new Client({ ...source, replication: 'true' } as ClientConfig);
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined);
  client.on('error', fail);
  let heardAt = performance.now();
  const watchdog = setInterval(() => {
    const silentMs = performance.now() - heardAt;
    if (silentMs > silentAfterMs) fail(new Error(`the source of the base backup is silent for ${silentAfterMs} ms`));
  }, 250);
  try {
    await Promise.race([client.connect(), failed]);
    const copy = new BackupQuery(new TarReader(target), () => {
      heardAt = performance.now();
    });
    client.query(copy);
    await Promise.race([copy.finished, failed]);
  } finally {
    clearInterval(watchdog);
    client.end().catch(() => undefined);
    // A polite goodbye does not reach a source that is silent.
    connectionOf(client)?.stream.destroy();
  }
}

function connectionOf(client: Client): { stream: { destroy(): void } } | undefined {
  return (client as unknown as { connection?: { stream: { destroy(): void } } }).connection;
}

/** A query in pg's own interface for them, because the answer to BASE_BACKUP is result sets around a copy stream. */
class BackupQuery {
  readonly finished: Promise<void>;
  readonly #reader: TarReader;
  readonly #onProgress: () => void;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #archives = 0;
  #error: Error | undefined;

  constructor(reader: TarReader, onProgress: () => void) {
    this.#reader = reader;
    this.#onProgress = onProgress;
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.finished.catch(() => undefined);
  }

  submit(connection: Connection): void {
    connection.query("BASE_BACKUP (LABEL 'evergrant', CHECKPOINT 'fast', WAL true, MANIFEST 'no')");
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    this.#onProgress();
    const kind = String.fromCharCode(chunk[0] ?? 0);
    try {
      if (kind === NEW_ARCHIVE) this.#archives += 1;
      if (this.#archives > 1) throw new Error('the source has tablespaces, which this copy does not know');
      if (kind === CONTENT && this.#error === undefined) this.#reader.write(chunk.subarray(1));
    } catch (error) {
      this.#error = error as Error;
      this.#reject(this.#error);
    }
  }

  handleReadyForQuery(): void {
    try {
      if (this.#error !== undefined) throw this.#error;
      this.#reader.end();
      this.#resolve();
    } catch (error) {
      this.#reject(error as Error);
    }
  }

  handleError(error: Error): void {
    this.#error ??= error;
    this.#reject(this.#error);
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCommandComplete(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleCopyInResponse(): void {}
}
