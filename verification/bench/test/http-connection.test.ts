import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { HttpConnection } from '../src/generator/http-connection';

const ANSWER = 'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"token":"t"';

/** Answers each request with the pieces, one after the other, and records what it received. */
async function answering(pieces: readonly string[]): Promise<{ port: number; received: string[]; close(): void }> {
  const received: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.setNoDelay(true);
    socket.on('data', async (chunk) => {
      received.push(String(chunk));
      for (const piece of pieces) {
        socket.write(piece);
        await new Promise((resume) => setImmediate(resume));
      }
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, received, close };
}

async function ask(pieces: readonly string[]): Promise<{ status: number; body: string; request: string | undefined }> {
  const server = await answering(pieces);
  try {
    return await new Promise((answered, failed) => {
      void HttpConnection.open(server.port, 'a-token', failed).then((connection) =>
        connection.send('PUT', '/v1/leases/x', '{"seats":1}', ({ status, body }) => {
          answered({ status, body: String(body), request: server.received[0] });
          connection.close();
        }),
      );
    });
  } finally {
    server.close();
  }
}

test('a request says who asks and how long its body is', async () => {
  const { request } = await ask([ANSWER]);
  expect(request).toMatch(/^PUT \/v1\/leases\/x HTTP\/1.1\r\n/);
  expect(request).toContain('\r\nauthorization: Bearer a-token\r\n');
  expect(request).toContain('\r\ncontent-length: 11\r\n\r\n{"seats":1}');
});

test('an answer is read however it is cut into pieces', async () => {
  for (const cut of [1, 20, ANSWER.indexOf('\r\n\r\n') + 2, ANSWER.length - 3]) {
    const { status, body } = await ask([ANSWER.slice(0, cut), ANSWER.slice(cut)]);
    expect({ cut, status, body }).toEqual({ cut, status: 201, body: '{"token":"t"' });
  }
});

test('an answer without a body is one', async () => {
  expect(await ask(['HTTP/1.1 204 No Content\r\nDate: today\r\n\r\n'])).toMatchObject({ status: 204, body: '' });
});

test('a connection that is closed under a request says so', async () => {
  const server = createServer((socket) => void socket.once('data', () => socket.destroy()));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const because = await new Promise<Error>((told) => {
    void HttpConnection.open(port, 'a-token', told).then((connection) =>
      connection.send('PUT', '/', '', () => told(new Error('answered'))),
    );
  });
  expect(because.message).toContain('closed the connection');
  server.close();
});
