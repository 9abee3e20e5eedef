import { once } from 'node:events';
import { WebSocket } from 'ws';
import { eventually } from '../eventually';
import { TOKENS } from './test-world';

// biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was said
export type ReceivedMessage = any;

export interface SessionSettings {
  readonly token?: string | null;
  readonly protocols?: string[];
}

/** A session over a real socket. */
export class TestSession {
  readonly socket: WebSocket;
  readonly said: ReceivedMessage[] = [];
  closed: { code: number; reason: string } | undefined;
  #id = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (content) => this.said.push(JSON.parse(String(content))));
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    socket.on('error', () => undefined);
  }

  /** Resolves when the server has greeted. */
  static async open(address: string, settings: SessionSettings = {}): Promise<TestSession> {
    const session = new TestSession(socketTo(address, settings));
    await once(session.socket, 'open');
    await eventually('the greeting', () => session.said.length > 0);
    return session;
  }

  /** The status and the problem with which the upgrade is refused. */
  static refused(
    address: string,
    settings: SessionSettings = {},
  ): Promise<{ status: number | undefined; body: ReceivedMessage; headers: Record<string, unknown> }> {
    const socket = socketTo(address, settings);
    return new Promise((resolve, reject) => {
      socket.on('open', () => reject(new Error('it was let in')));
      socket.on('error', () => undefined);
      socket.on('unexpected-response', (_request, response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('close', () => {
          const { statusCode: status, headers } = response;
          resolve({ status, headers, body: JSON.parse(Buffer.concat(chunks).toString()) });
        });
      });
    });
  }

  /** Sends a message and resolves to its answer. */
  async ask(message: object): Promise<ReceivedMessage> {
    this.#id += 1;
    const id = this.#id;
    this.socket.send(JSON.stringify({ id, ...message }));
    return this.answerTo(id);
  }

  answerTo(id: number | string): Promise<ReceivedMessage> {
    return eventually(`an answer to ${id}`, () => this.said.find((message) => message.id === id));
  }

  event(name: string): Promise<ReceivedMessage> {
    return eventually(`the event ${name}`, () => this.said.find((message) => message.event === name));
  }

  whenClosed(): Promise<{ code: number; reason: string }> {
    return eventually('the session is closed', () => this.closed);
  }

  /** Closes the connection without a close frame, as a killed client process does. */
  vanish(): void {
    this.socket.terminate();
  }
}

function socketTo(
  address: string,
  { token = TOKENS.client, protocols = ['evergrant.v1'] }: SessionSettings,
): WebSocket {
  return new WebSocket(`${address.replace('http', 'ws')}/v1/session`, protocols, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
}
