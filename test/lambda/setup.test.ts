import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CloudFormationEvent } from '../../lambda/setup/answer';
import { handler } from '../../lambda/setup/handler';

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly method: string | undefined;
  readonly body: { Status: string; Reason: string; PhysicalResourceId: string; RequestId: string };
}

const answers: Answer[] = [];
let status = 200;
let server: Server;

beforeAll(async () => {
  server = createServer((incoming, outgoing) => {
    let text = '';
    incoming.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    incoming.on('end', () => {
      answers.push({ headers: incoming.headers, method: incoming.method, body: JSON.parse(text) });
      outgoing.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => server.close());

beforeEach(() => {
  answers.length = 0;
  status = 200;
});

function event(change: Partial<CloudFormationEvent> = {}): CloudFormationEvent {
  return {
    RequestType: 'Create',
    ResponseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/answer?signed=yes`,
    StackId: 'stack',
    RequestId: 'request',
    LogicalResourceId: 'Thing',
    ResourceProperties: { kind: 'nothing-like-it', awsRegion: 'us-west-2' },
    ...change,
  };
}

describe('setup function', () => {
  it('reports a failure immediately, so that the stack does not wait for an hour', async () => {
    await handler(event());
    expect(answers).toHaveLength(1);
    expect(answers[0]?.body).toMatchObject({
      Status: 'FAILED',
      Reason: 'there is no setup "nothing-like-it"',
      PhysicalResourceId: 'evergrant-nothing-like-it-Thing',
      RequestId: 'request',
    });
  });

  it('names a missing property', async () => {
    await handler(event({ ResourceProperties: { kind: 'introduction', awsRegion: 'us-west-2' } }));
    expect(answers[0]?.body.Reason).toContain('the setup needs the property table');
  });

  it('sends the response with PUT and without a content type, as the signed URL requires', async () => {
    await handler(event());
    expect(answers[0]?.method).toBe('PUT');
    expect(answers[0]?.headers['content-type'] ?? '').toBe('');
    expect(answers[0]?.headers['transfer-encoding']).toBeUndefined();
  });

  it.each(['authority', 'association', 'public-record', 'signing-keys', 'introduction', 'lookup'])(
    'keeps the seeded value when a stack is deleted: %s',
    async (kind) => {
      const deletion = { RequestType: 'Delete', PhysicalResourceId: 'as-it-was' } as const;
      // No endpoint is configured, so any AWS call would fail.
      await handler(event({ ...deletion, ResourceProperties: { kind, awsRegion: 'us-west-2' } }));
      expect(answers[0]?.body).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId: 'as-it-was' });
    },
  );

  it('throws when CloudFormation refuses the response', async () => {
    status = 403;
    await expect(handler(event())).rejects.toThrow('CloudFormation’s address answers 403'.replace('’', "'"));
  });
});
