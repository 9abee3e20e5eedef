import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { generate } from 'selfsigned';
import { listening } from './region-model';

export async function freePort(): Promise<number> {
  const server = createTcpServer();
  const port = await listening(server);
  await new Promise((closed) => server.close(closed));
  return port;
}

/** A self-signed certificate for servers of these names, as PEM. */
export async function certificate(names: readonly string[]): Promise<{ cert: string; key: string }> {
  const made = await generate([{ name: 'commonName', value: names[0] ?? '' }], {
    algorithm: 'sha256',
    keySize: 2048,
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: names.map((value) => ({ type: 2, value })) },
    ],
  });
  return { cert: made.cert, key: made.private };
}

/** A server to which an emulator posts the operations that it only records. The emulator waits for the response. */
export async function startHooks(
  runOperation: (path: string, body: Record<string, string>) => Promise<unknown>,
): Promise<{ url: string; close: () => void }> {
  const server: Server = createServer((incoming, outgoing) => {
    let text = '';
    incoming.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    incoming.on('end', () => {
      void runOperation(incoming.url ?? '', JSON.parse(text) as Record<string, string>).then(
        (answer) => outgoing.end(JSON.stringify(answer ?? {})),
        (error: unknown) => outgoing.writeHead(500).end(String(error)),
      );
    });
  });
  return { url: `http://127.0.0.1:${await listening(server)}`, close: () => server.close() };
}
