import { type ChildProcess, spawn } from 'node:child_process';
import type { Server as HttpServer } from 'node:http';
import { request } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { join } from 'node:path';
import { PASSES_THE_FENCE } from '../../../lib/edge/web-acls';
import { type AclRule, BLOCKED, letsIn } from './web-acl-model';

export interface ModelState {
  readonly acls: Readonly<Record<string, string>>;
  readonly records: Readonly<Record<string, string>>;
  readonly databases: Readonly<Record<string, { readonly status: string; readonly replica: boolean }>>;
}

export async function listening(server: HttpServer | Server | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A load balancer with the web ACL that the emulator has associated, in front of one real license server. */
export class LoadBalancerModel {
  readonly #server: Server;
  /** The port of the server behind it. Null while no server runs. */
  targetPort: number | null = null;

  constructor(
    tls: { cert: string; key: string },
    {
      acl: aclNow,
      fenceBody,
      serveRules,
    }: { acl: () => Promise<string | undefined>; fenceBody: string; serveRules: readonly AclRule[] },
  ) {
    this.#server = createServer(tls, (incoming, outgoing) => {
      void aclNow().then(
        (acl) => {
          const path = (incoming.url ?? '').split('?')[0] ?? '';
          if (acl === 'evergrant-fence' && !(PASSES_THE_FENCE as readonly string[]).includes(path)) {
            outgoing.writeHead(503, { 'content-type': 'application/json', 'retry-after': '1' }).end(fenceBody);
            return;
          }
          if (acl === 'evergrant-serve' && !letsIn(serveRules, { path, headers: incoming.headers })) {
            outgoing.writeHead(BLOCKED.status, { 'content-type': BLOCKED.contentType }).end(BLOCKED.body);
            return;
          }
          if (this.targetPort === null) {
            outgoing.writeHead(503, { 'content-type': 'text/html' }).end('503 Service Temporarily Unavailable');
            return;
          }
          const { method, url, headers } = incoming;
          const forwarded = request(
            { host: '127.0.0.1', port: this.targetPort, method, path: url, headers },
            (answer) => {
              outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
              answer.pipe(outgoing);
            },
          );
          forwarded.once('error', () => outgoing.writeHead(502).end());
          incoming.pipe(forwarded);
        },
        // The association is unknown, so it responds as after an internal error.
        () => outgoing.writeHead(502).end(),
      );
    });
  }

  start(): Promise<number> {
    return listening(this.#server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** The public name: connections go to the current target of its record. */
export function publicName(portNow: () => Promise<number | undefined>): TcpServer {
  return createTcpServer((socket) => {
    socket.on('error', () => undefined);
    void portNow().then((port) => {
      if (port === undefined) return socket.destroy();
      const there = connect(port, '127.0.0.1');
      there.on('error', () => socket.destroy());
      socket.on('close', () => there.destroy());
      return socket.pipe(there).pipe(socket);
    });
  });
}

/** A real license server with the environment of its container. Resolves to its port when it listens. */
export function startServer(environment: Record<string, string>): { child: ChildProcess; port: Promise<number> } {
  const main = join(__dirname, '../../../dist/server/main.js');
  const child = spawn(process.execPath, ['--require', join(__dirname, 'hosts.cjs'), main], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const port = new Promise<number>((resolve, reject) => {
    let said = '';
    const listen = (chunk: Buffer): void => {
      said += chunk.toString('utf8');
      const found = /"address":"http:\/\/[^:]+:(\d+)"/.exec(said)?.[1];
      if (found !== undefined) resolve(Number(found));
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${said.slice(-2_000)}`)));
  });
  port.catch(() => undefined);
  return { child, port };
}
