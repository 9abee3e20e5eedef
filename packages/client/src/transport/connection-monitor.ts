import type { ClientNotice } from '../events';

type ConnectionKind = Extract<ClientNotice, { kind: 'connection' }>['over'];

/** Reports the server in use and the transport, once for each change. */
export class ConnectionMonitor {
  readonly #onNotice: (notice: ClientNotice) => void;
  #current = '';

  constructor(onNotice: (notice: ClientNotice) => void) {
    this.#onNotice = onNotice;
  }

  connected(address: string, over: ConnectionKind): void {
    this.#report(address, over);
  }

  disconnected(): void {
    this.#report(undefined, 'nothing');
  }

  #report(address: string | undefined, over: ConnectionKind): void {
    const connection = `${over} ${address}`;
    if (connection === this.#current) return;
    this.#current = connection;
    this.#onNotice({ kind: 'connection', address, over });
  }
}
