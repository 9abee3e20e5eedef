import { createConnection, createServer, type Server, type Socket } from 'node:net';

/** Forwards bytes until it is paused. Connections then stay open, as with a stopped database. */
export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  hangs = false;

  constructor(port: number) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      if (this.hangs) return;
      const upstream = createConnection({ host: '127.0.0.1', port });
      upstream.on('error', () => undefined);
      this.#sockets.add(upstream);
      socket.on('data', (bytes) => this.hangs || upstream.write(bytes));
      upstream.on('data', (bytes) => this.hangs || socket.write(bytes));
      socket.on('close', () => upstream.destroy());
      upstream.on('close', () => socket.destroy());
    });
  }

  listen(): Promise<number> {
    return new Promise((resolve) =>
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as { port: number }).port)),
    );
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
