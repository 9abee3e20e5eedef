import { Client, type ClientConfig, type Connection } from 'pg';
import { TarReader } from './tar-reader';

export interface BaseBackupOptions {
  /** The connection to the source. The role needs the REPLICATION privilege. */
  readonly source: ClientConfig;
  /** An empty directory. */
  readonly target: string;
  /** The copy fails when no data arrives for this long. */
  readonly silentAfterMs: number;
}

/** Message types of the copy stream (PostgreSQL's protocol, chapter "Streaming Replication Protocol"). */
const NEW_ARCHIVE = 'n';
const CONTENT = 'd';

/**
 * Copies a running cluster over the network, as pg_basebackup does. The server streams its files and the WAL that makes
 * them consistent. All data passes through one connection, so a cut link stops the copy.
 */
export async function takeBaseBackup({ source, target, silentAfterMs }: BaseBackupOptions): Promise<void> {
  // `replication` makes the server accept replication commands. pg's type definitions lack it.
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
    if (silentMs > silentAfterMs)
      fail(new Error(`the source of the base backup has sent nothing for ${silentAfterMs} ms`));
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
    // A silent source cannot receive a Terminate message.
    connectionOf(client)?.stream.destroy();
  }
}

function connectionOf(client: Client): { stream: { destroy(): void } } | undefined {
  return (client as unknown as { connection?: { stream: { destroy(): void } } }).connection;
}

/**
 * A query that implements pg's Submittable interface: the response to BASE_BACKUP is result sets around a copy stream.
 */
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
      if (this.#archives > 1) throw new Error('the source has tablespaces, which this copy does not support');
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
