import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';

/** What the framework refuses before a route sees it, over real connections: `inject` passes by the HTTP parser. */
let world: TestWorld;
let server: RunningServer;
let port: number;

beforeAll(async () => {
  world = await TestWorld.create();
  server = await world.startGranting();
  port = (server.app.server.address() as { port: number }).port;
});

afterAll(() => world.close());

interface Answer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: Record<string, unknown>;
}

/** Sends bytes as they are, and reads until the server closes the connection. */
function send(head: string, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${head}\r\n\r\n${body}`));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const [answerHead = '', answerBody = ''] = text.split('\r\n\r\n');
      resolve({
        status: Number(answerHead.split(' ')[1]),
        contentType: /^content-type: (.*)$/im.exec(answerHead)?.[1]?.trim(),
        body: JSON.parse(answerBody) as Record<string, unknown>,
      });
    });
  });
}

const HEADERS = ['host: license.test', `authorization: Bearer ${TOKENS.client}`, 'connection: close'];

const request = (line: string, headers: readonly string[] = []): string =>
  [`${line} HTTP/1.1`, ...HEADERS, ...headers].join('\r\n');

const put = (type: string | undefined, body: string): Promise<Answer> =>
  send(
    request(`PUT /v1/leases/${randomUUID()}`, [
      ...(type === undefined ? [] : [`content-type: ${type}`]),
      `content-length: ${Buffer.byteLength(body)}`,
    ]),
    body,
  );

describe('is a problem document with its own status:', () => {
  it.each<[string, () => Promise<Answer>, number, string]>([
    ['a URL that cannot be decoded', () => send(request('GET /v1/leases/%E0%A4%A')), 400, 'malformed_url'],
    ['an unknown URL that cannot be decoded', () => send(request('GET /nowhere/%E0%A4%A')), 400, 'malformed_url'],
    ['a lease id beyond any length', () => send(request(`GET /v1/leases/${'x'.repeat(3_000)}`)), 414, 'uri_too_long'],
    ['a body in XML', () => put('text/xml', '<a/>'), 415, 'unsupported_media_type'],
    ['a body in plain text', () => put('text/plain', '{}'), 415, 'unsupported_media_type'],
    ['a body in a type that is none', () => put('json', '{}'), 415, 'unsupported_media_type'],
    ['a body without a type', () => put(undefined, '{}'), 415, 'unsupported_media_type'],
    ['a body that is not JSON', () => put('application/json', '{'), 400, 'malformed_body'],
    ['a body that is too large', () => put('application/json', `"${'x'.repeat(20_000)}"`), 413, 'body_too_large'],
    ['a body of prototypes only', () => put('application/json', '{"__proto__":{}}'), 422, 'invalid_request'],
    ['what is not HTTP', () => send('hello'), 400, 'bad_request'],
    [
      'headers without end',
      () => send(request('GET /livez', [`x-long: ${'x'.repeat(17_000)}`])),
      431,
      'request_header_fields_too_large',
    ],
  ])('%s', async (_what, ask, status, code) => {
    const answer = await ask();
    expect(answer).toMatchObject({
      status,
      contentType: 'application/problem+json',
      body: { status, code, type: `urn:evergrant:problem:${code}`, title: expect.any(String) },
    });
  });
});

it('a fault of the caller is not logged as one of the server', () => {
  expect(server.logLines.filter(({ level }) => level === 'error' || level === 50)).toEqual([]);
});

it('an empty body is no body, whatever its type says', async () => {
  expect(await put('text/plain;charset=UTF-8', '')).toMatchObject({ status: 422, body: { code: 'invalid_request' } });
  const heartbeat = request(`POST /v1/leases/${randomUUID()}/heartbeat`, [
    'content-type: text/plain;charset=UTF-8',
    'content-length: 0',
  ]);
  expect(await send(heartbeat)).toMatchObject({ body: { code: 'lease_not_found' } });
});
