import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { IN_FLIGHT_BYTES_MAX } from '../../src/network/delayed-pipe';
import { TcpProxy } from '../../src/network/tcp-proxy';

const LINK_PORT = 18390;
const TARGET_PORT = 18391;
const OTHER_PORT = 18392;

let link: TcpProxy;
let target: Server;
let arrivals: Socket[];
const opened: { destroy(): void }[] = [];

beforeEach(async () => {
  arrivals = [];
  target = await serve(TARGET_PORT, (socket) => {
    arrivals.push(socket);
    socket.on('data', (bytes) => socket.write(bytes));
  });
  link = new TcpProxy({ name: 'here-there/echo', port: LINK_PORT, targetPort: TARGET_PORT });
  await link.listen();
});

afterEach(async () => {
  for (const socket of opened.splice(0)) socket.destroy();
  await link.close();
  await new Promise((closed) => target.close(closed));
});

async function serve(port: number, onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    opened.push(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** A caller that collects the bytes it receives. */
async function call(): Promise<{ socket: Socket; heard: () => string; until: (text: string) => Promise<void> }> {
  const socket = connect(LINK_PORT, '127.0.0.1');
  opened.push(socket);
  socket.on('error', () => undefined);
  let heard = '';
  socket.on('data', (bytes) => {
    heard += bytes;
  });
  await once(socket, 'connect');
  return { socket, heard: () => heard, until: (text) => eventually(() => heard.includes(text)) };
}

async function eventually(holds: () => boolean, deadlineMs = 3_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${holds}`);
    await new Promise((resume) => setTimeout(resume, 5));
  }
}

/** A new caller is reset. The reset may arrive before the event of the connection. */
async function refused(): Promise<void> {
  const socket = connect(LINK_PORT, '127.0.0.1');
  socket.on('error', () => undefined);
  await gone(socket);
}

/** Resolves when the socket is closed, with or without an error. */
const gone = (socket: Socket) => new Promise<void>((closed) => socket.on('close', () => closed()));

const pause = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

it('forwards bytes both ways and counts them', async () => {
  const caller = await call();
  caller.socket.write('hello');
  await caller.until('hello');
  expect(link.status()).toMatchObject({ connections: 1, acceptedTotal: 1, bytesOut: 5, bytesBack: 5 });
});

it('forwards the end of a connection and removes it', async () => {
  const caller = await call();
  caller.socket.end('bye');
  await gone(caller.socket);
  expect(caller.heard()).toBe('bye');
  await eventually(() => link.status().connections === 0);
});

it('resets the caller when the target does not listen', async () => {
  await new Promise((closed) => target.close(closed));
  const caller = await call();
  await gone(caller.socket);
  target = await serve(TARGET_PORT, () => undefined);
});

it('delays each direction and keeps the order when the delay shrinks', async () => {
  link.setCondition({ delayMs: 60 });
  const caller = await call();
  const sentAt = performance.now();
  caller.socket.write('first ');
  await pause(20);
  link.setCondition({ delayMs: 0 });
  caller.socket.write('second');
  await caller.until('first second');
  expect(performance.now() - sentAt).toBeGreaterThanOrEqual(59);
  link.setCondition({ delayMs: 50 });
  const askedAt = performance.now();
  caller.socket.write('third');
  await caller.until('third');
  expect(performance.now() - askedAt).toBeGreaterThanOrEqual(99);
});

it('delivers the bytes in flight only after a cut is repaired', async () => {
  const caller = await call();
  caller.socket.write('before ');
  await caller.until('before');
  link.setCondition({ mode: 'cut' });
  caller.socket.write('during ');
  arrivals[0]?.write('from there ');
  await pause(80);
  expect(caller.heard()).toBe('before ');
  link.setCondition({ mode: 'open' });
  await caller.until('during');
  expect(caller.heard()).toContain('from there');
});

it('does not forward the close of one side while the link is cut', async () => {
  const caller = await call();
  caller.socket.write('hello');
  await caller.until('hello');
  link.setCondition({ mode: 'cut' });
  arrivals[0]?.destroy();
  await pause(80);
  expect(caller.socket.readyState).toBe('open');
  link.setCondition({ mode: 'open' });
  await gone(caller.socket);
});

it('sends no answer to a new caller while the link is cut, and serves it after the repair', async () => {
  link.setCondition({ mode: 'cut' });
  const caller = await call();
  caller.socket.write('anybody?');
  await pause(80);
  expect(caller.heard()).toBe('');
  expect(arrivals).toHaveLength(0);
  link.setCondition({ mode: 'open' });
  await caller.until('anybody?');
});

it('removes callers that give up on a cut link without connecting to the target', async () => {
  link.setCondition({ mode: 'cut' });
  for (let n = 0; n < 20; n += 1) (await call()).socket.end('anybody?');
  await eventually(() => link.status().connections === 0);
  link.setCondition({ mode: 'open' });
  await pause(50);
  expect(arrivals).toHaveLength(0);
});

it('resets every connection in mode refuse', async () => {
  const caller = await call();
  caller.socket.write('hello');
  await caller.until('hello');
  const closed = gone(caller.socket);
  link.setCondition({ mode: 'refuse' });
  await closed;
  await refused();
});

it('resets old connections when the target changes', async () => {
  const other = await serve(OTHER_PORT, (socket) => socket.end('the other one'));
  const caller = await call();
  caller.socket.write('hello');
  await caller.until('hello');
  const closed = gone(caller.socket);
  link.retarget(OTHER_PORT);
  await closed;
  await (await call()).until('the other one');
  link.retarget(undefined);
  await refused();
  await new Promise((done) => other.close(done));
});

it('applies backpressure to a sender with a slow reader, and loses no bytes', async () => {
  const caller = await call();
  await eventually(() => arrivals.length === 1);
  arrivals[0]?.removeAllListeners('data').pause();
  const sent = 32 * IN_FLIGHT_BYTES_MAX;
  caller.socket.write(Buffer.alloc(sent, 'x'));
  await pause(200);
  // The pipe and the kernel's buffers cannot hold all of it.
  expect(link.status().bytesOut).toBeLessThan(sent);
  expect(caller.socket.writableLength).toBeGreaterThan(0);
  let received = 0;
  arrivals[0]?.on('data', (bytes: Buffer) => {
    received += bytes.length;
  });
  arrivals[0]?.resume();
  await eventually(() => received === sent, 10_000);
});

it('names the link whose port is taken', async () => {
  const second = new TcpProxy({ name: 'a-b/db', port: LINK_PORT, targetPort: TARGET_PORT });
  await expect(second.listen()).rejects.toThrow(`a-b/db cannot listen on port ${LINK_PORT}`);
});
