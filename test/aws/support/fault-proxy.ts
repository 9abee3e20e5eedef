import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * - `throttle`, `error`: AWS refuses the call because of its rate, or because of an internal error.
 * - `silence`: no answer at all. `reset`: the connection breaks before the call arrives.
 * - `lost-answer`: the call arrives, and the connection breaks before its answer. `cut-answer`: half of the answer.
 */
export type Fault = 'throttle' | 'error' | 'silence' | 'reset' | 'lost-answer' | 'cut-answer';
export const FAULTS: readonly Fault[] = ['throttle', 'error', 'silence', 'reset', 'lost-answer', 'cut-answer'];

/** A proxy between the SDK and the emulator that names every call and applies the fault of the test. */
export class FaultProxy {
  /** The names of the calls, in their order. */
  readonly calls: string[] = [];
  /** Called before every call. */
  faultFor: (call: string) => Fault | undefined = () => undefined;
  /** Called after every response. */
  onAnswered: (call: string) => void = () => undefined;
  readonly #server: Server;
  readonly #target: number;

  constructor(target: number) {
    this.#target = target;
    this.#server = createServer((incoming, outgoing) => void this.#handle(incoming, outgoing));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await readAll(incoming).catch(() => null);
    if (body === null) return;
    const call = nameOf(incoming, body);
    this.calls.push(call);
    const fault = this.faultFor(call);
    if (fault === 'reset') {
      incoming.socket.destroy();
      return;
    }
    if (fault === 'silence') return;
    if (fault === 'throttle' || fault === 'error') {
      refuse(incoming, outgoing, fault);
      return;
    }
    const answer = await this.#forward(incoming, body);
    if (fault === 'lost-answer') {
      incoming.socket.destroy();
      return;
    }
    outgoing.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
    if (fault === 'cut-answer') {
      outgoing.write(answer.body.subarray(0, Math.floor(answer.body.length / 2)), () => incoming.socket.destroy());
      return;
    }
    outgoing.end(answer.body);
    this.onAnswered(call);
  }

  #forward(incoming: IncomingMessage, body: Buffer): Promise<{ status: number; headers: object; body: Buffer }> {
    return new Promise((resolve) => {
      const { 'transfer-encoding': _chunked, ...headers } = incoming.headers;
      const options = { host: '127.0.0.1', port: this.#target, method: incoming.method, path: incoming.url, headers };
      const forwarded = request(options, (answer) => {
        void readAll(answer).then((content) => {
          const { 'transfer-encoding': _also, connection: _hop, ...kept } = answer.headers;
          resolve({ status: answer.statusCode ?? 502, headers: kept, body: content });
        });
      });
      forwarded.once('error', () => resolve({ status: 502, headers: {}, body: Buffer.alloc(0) }));
      forwarded.end(body);
    });
  }
}

function nameOf({ headers, method, url = '' }: IncomingMessage, body: Buffer): string {
  const target = headers['x-amz-target'];
  if (typeof target === 'string') return target.split('.').at(-1) ?? target;
  const operation = /\/operation\/(\w+)/.exec(url)?.[1];
  if (operation !== undefined) return operation;
  const action = /(?:^|&)Action=(\w+)/.exec(body.toString('utf8'))?.[1];
  if (action !== undefined) return action;
  const path = url
    .split('?')[0]
    ?.replace(/\/(Z|C)?[A-Z0-9]{2,}(?=\/|$)/g, '/ID')
    .replace(/[0-9a-f-]{36}/g, 'ID');
  return `${method} ${path}`;
}

function refuse({ headers }: IncomingMessage, outgoing: ServerResponse, fault: 'throttle' | 'error'): void {
  const code = fault === 'throttle' ? 'ThrottlingException' : 'InternalFailure';
  const status = fault === 'throttle' ? 400 : 503;
  const isJson = String(headers['content-type']).includes('json') || headers['x-amz-target'] !== undefined;
  const content = isJson
    ? JSON.stringify({ __type: code, message: 'injected' })
    : `<ErrorResponse><Error><Code>${code.replace('Exception', '')}</Code><Message>injected</Message></Error></ErrorResponse>`;
  outgoing.writeHead(status, { 'content-type': isJson ? 'application/x-amz-json-1.0' : 'text/xml' }).end(content);
}

async function readAll(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
