import { connect, createServer, type Server, type Socket } from 'node:net';
import { DelayedPipe, type LinkCondition } from './delayed-pipe';

const HOST = '127.0.0.1';

export interface TcpProxyOptions {
  /** For example `virginia-oregon/replication`. Appears in errors and in the status. */
  readonly name: string;
  readonly port: number;
  /** The port that connections are forwarded to. With undefined, connections are reset at once. */
  readonly targetPort: number | undefined;
}

export interface TcpProxyStatus extends LinkCondition {
  readonly name: string;
  readonly port: number;
  readonly targetPort: number | undefined;
  readonly connections: number;
  readonly acceptedTotal: number;
  /** Bytes to the target and from it, since the start. */
  readonly bytesOut: number;
  readonly bytesBack: number;
}

interface Connection {
  readonly client: Socket;
  readonly out: DelayedPipe;
  target: Socket | undefined;
  back: DelayedPipe | undefined;
}

/**
 * A TCP relay. It is either a link between two regions, which can be cut and delayed, or an endpoint that follows the
 * current server. A cut link still accepts connections (loopback cannot drop a SYN) and then stays silent. Callers
 * therefore need a timeout for the answer, not only for connecting.
 */
export class TcpProxy {
  readonly name: string;
  readonly #port: number;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #targetPort: number | undefined;
  #condition: LinkCondition = { mode: 'open', delayMs: 0 };
  #acceptedTotal = 0;
  #bytesOut = 0;
  #bytesBack = 0;

  constructor({ name, port, targetPort }: TcpProxyOptions) {
    this.name = name;
    this.#port = port;
    this.#targetPort = targetPort;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) => {
        reject(new Error(`${this.name} cannot listen on port ${this.#port}: ${cause.message}`, { cause }));
      });
      this.#server.listen(this.#port, HOST, resolve);
    });
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#dropAll();
    await closed;
  }

  /** Changes the link's condition. Properties that are absent keep their value. */
  setCondition(change: Partial<LinkCondition>): void {
    this.#condition = { ...this.#condition, ...change };
    if (this.#condition.mode === 'refuse') this.#dropAll();
    for (const connection of this.#connections) {
      if (connection.target === undefined) this.#connectOnward(connection);
      connection.out.flush();
      connection.back?.flush();
    }
  }

  /** Forwards new connections to another port. Connections to the old port are reset: they lead to the wrong server. */
  retarget(targetPort: number | undefined): void {
    if (targetPort === this.#targetPort) return;
    this.#targetPort = targetPort;
    this.#dropAll();
  }

  status(): TcpProxyStatus {
    return {
      name: this.name,
      port: this.#port,
      targetPort: this.#targetPort,
      ...this.#condition,
      connections: this.#connections.size,
      acceptedTotal: this.#acceptedTotal,
      bytesOut: this.#bytesOut,
      bytesBack: this.#bytesBack,
    };
  }

  #accept(client: Socket): void {
    this.#acceptedTotal += 1;
    client.on('error', () => undefined);
    if (this.#condition.mode === 'refuse' || this.#targetPort === undefined) {
      client.destroy();
      return;
    }
    const out = new DelayedPipe(
      client,
      () => this.#condition,
      (bytes) => {
        this.#bytesOut += bytes;
      },
    );
    const connection: Connection = { client, out, target: undefined, back: undefined };
    this.#connections.add(connection);
    for (const event of ['end', 'close']) client.on(event, () => this.#dropIfFinished(connection));
    this.#connectOnward(connection);
  }

  #connectOnward(connection: Connection): void {
    if (this.#condition.mode !== 'open' || this.#targetPort === undefined) return;
    const target = connect({ host: HOST, port: this.#targetPort, allowHalfOpen: true, noDelay: true });
    connection.target = target;
    target.on('error', () => undefined);
    connection.back = new DelayedPipe(
      target,
      () => this.#condition,
      (bytes) => {
        this.#bytesBack += bytes;
      },
    );
    connection.back.deliverTo(connection.client);
    target.once('connect', () => connection.out.deliverTo(target));
    for (const event of ['end', 'close']) target.on(event, () => this.#dropIfFinished(connection));
  }

  /**
   * Removes a connection when both sides are closed, or when the caller gave up on a cut link before the target saw the
   * connection.
   */
  #dropIfFinished(connection: Connection): void {
    const { client, target, out, back } = connection;
    const givenUp = target === undefined && out.ended;
    const bothGone = client.destroyed && target?.destroyed === true;
    const bothClosedOnCutLink = this.#condition.mode === 'cut' && out.ended && back?.ended === true;
    if (givenUp || bothGone || bothClosedOnCutLink) this.#drop(connection);
  }

  #drop(connection: Connection): void {
    this.#connections.delete(connection);
    connection.out.discard();
    connection.back?.discard();
    for (const socket of [connection.client, connection.target]) {
      // Not resetAndDestroy: Node 20 never closes the handle of a socket that is shutting down.
      socket?.destroy();
    }
  }

  #dropAll(): void {
    for (const connection of [...this.#connections]) this.#drop(connection);
  }
}
