import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CloudFormationEvent } from '../../lambda/setup/answer';
import { handler } from '../../lambda/setup/handler';
import { withRetry } from '../../lambda/setup/retry';

const PROPERTIES = {
  kind: 'association',
  awsRegion: 'us-west-2',
  table: 'authority',
  region: 'oregon',
  loadBalancerArn: 'arn:aws:elasticloadbalancing:us-west-2:111122223333:loadbalancer/app/evergrant/1',
  serveAclArn: 'arn:aws:wafv2:us-west-2:111122223333:regional/webacl/evergrant-serve/1',
  fenceAclArn: 'arn:aws:wafv2:us-west-2:111122223333:regional/webacl/evergrant-fence/1',
};
let server: Server;
let address = '';
/** Faults that AWS returns next, by API call. Afterwards the calls succeed. */
let faults: Record<string, string[]> = {};
let asked: string[] = [];
let told: { Status: string; Reason: string } | undefined;
const before = { ...process.env };

beforeAll(async () => {
  server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      if (incoming.method === 'PUT') {
        told = JSON.parse(Buffer.concat(chunks).toString('utf8')) as typeof told;
        outgoing.writeHead(200).end();
        return;
      }
      const name = String(incoming.headers['x-amz-target']).split('.').at(-1) ?? '';
      asked.push(name);
      const fault = faults[name]?.shift();
      outgoing.writeHead(fault === undefined ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' });
      const answers: Record<string, object> = { GetItem: { Item: { region: { S: 'oregon' } } } };
      outgoing.end(JSON.stringify(fault === undefined ? (answers[name] ?? {}) : { __type: fault, message: fault }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: address,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  });
});

afterAll(() => {
  process.env = before;
  server.close();
});

beforeEach(() => {
  faults = {};
  asked = [];
  told = undefined;
});

const associate = (): Promise<void> => {
  const event = { RequestType: 'Create', ResponseURL: `${address}/answer`, StackId: 's', RequestId: 'r' } as const;
  return handler({ ...event, LogicalResourceId: 'A', ResourceProperties: PROPERTIES } satisfies CloudFormationEvent);
};
const associations = (): number => asked.filter((name) => name === 'AssociateWebACL').length;

describe('setup retry', () => {
  it.each([
    ['WAF cannot reach a new resource', 'WAFUnavailableEntityException'],
    ['WAF does not know the load balancer yet', 'WAFNonexistentItemException'],
    ['the permissions of a new role are not effective yet', 'AccessDeniedException'],
  ])(
    'repeats the work while %s',
    async (_what, fault) => {
      faults = { AssociateWebACL: [fault, fault] };
      await associate();
      expect(told).toMatchObject({ Status: 'SUCCESS' });
      expect(associations()).toBe(3);
    },
    30_000,
  );

  it('does not repeat a call that can never succeed', async () => {
    faults = { AssociateWebACL: ['WAFInvalidParameterException'] };
    await associate();
    expect(told).toMatchObject({ Status: 'FAILED', Reason: expect.stringContaining('WAFInvalidParameterException') });
    expect(associations()).toBe(1);
  });

  it('does not repeat its own validation errors', async () => {
    let tries = 0;
    const work = async (): Promise<never> => {
      tries += 1;
      throw new Error('oregon has not published its vpcId: deploy its stack first');
    };
    await expect(withRetry(work)).rejects.toThrow('deploy its stack first');
    expect(tries).toBe(1);
  });

  it('gives up early enough to respond to CloudFormation', async () => {
    const busy = Object.assign(new Error('busy'), { name: 'WAFUnavailableEntityException', $metadata: {} });
    let nowMs = 0;
    const pauses: number[] = [];
    const clock = {
      nowMs: () => nowMs,
      pause: async (ms: number) => {
        pauses.push(ms);
        nowMs += ms;
      },
    };
    await expect(withRetry(() => Promise.reject(busy), clock)).rejects.toBe(busy);
    expect(nowMs).toBeGreaterThan(150_000);
    expect(nowMs).toBeLessThanOrEqual(180_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(15_000);
  });
});
