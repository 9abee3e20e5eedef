import { connect, type Socket } from 'node:net';

export interface HttpAnswer {
  readonly status: number;
  /** Valid only until the next request, because the buffer is reused. */
  readonly body: Buffer;
}

type Waiting = (answer: HttpAnswer) => void;

const HEAD_END = Buffer.from('\r\n\r\n');
const RECEIVED_BYTES_MAX = 64 * 1024;
const NO_BODY = Buffer.alloc(0);

/**
 * One HTTP/1.1 keep-alive connection with at most one request in flight. It parses only what the license server sends (a
 * status line and Content-Length), so that the generator uses little of the CPU that it shares with the server.
 */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #head: string;
  readonly #received = Buffer.allocUnsafe(RECEIVED_BYTES_MAX);
  #length = 0;
  #waiting: Waiting | undefined;
  readonly #onEnd: (because: Error) => void;

  private constructor(socket: Socket, head: string, onEnd: (because: Error) => void) {
    this.#socket = socket;
    this.#head = head;
    this.#onEnd = onEnd;
  }

  /** `onEnd` is called when the connection ends before `close`; a request in flight is then never answered. */
  static open(port: number, token: string, onEnd: (because: Error) => void): Promise<HttpConnection> {
    const head = `host: 127.0.0.1:${port}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n`;
    return new Promise((opened, failed) => {
      let connection: HttpConnection | undefined;
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      socket.once('connect', () => {
        connection = new HttpConnection(socket, head, onEnd);
        socket.on('data', (chunk: Buffer) => connection?.receive(chunk));
        opened(connection);
      });
      socket.on('error', (error) => (connection ? onEnd(error) : failed(error)));
      socket.on('close', () => onEnd(new Error(`port ${port} closed the connection`)));
    });
  }

  send(method: string, path: string, body: string, then: Waiting): void {
    this.#waiting = then;
    this.#socket.write(
      `${method} ${path} HTTP/1.1\r\n${this.#head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }

  close(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  receive(chunk: Buffer): void {
    if (this.#length === 0) {
      if (this.#take(chunk)) return;
    }
    chunk.copy(this.#received, this.#length);
    this.#length += chunk.length;
    if (chunk.length !== this.#length) this.#take(this.#received.subarray(0, this.#length));
  }

  /** Returns whether the bytes contain a complete answer, and handles it. */
  #take(bytes: Buffer): boolean {
    const headEnd = bytes.indexOf(HEAD_END);
    if (headEnd === -1) return false;
    const head = bytes.toString('latin1', 0, headEnd).toLowerCase();
    const bodyStart = headEnd + HEAD_END.length;
    const bodyLength = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
    if (bytes.length < bodyStart + bodyLength) return false;
    this.#length = 0;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!waiting) this.#onEnd(new Error('an answer without a request'));
    const body = bodyLength === 0 ? NO_BODY : bytes.subarray(bodyStart, bodyStart + bodyLength);
    waiting?.({ status: Number(head.slice(9, 12)), body });
    return true;
  }
}
