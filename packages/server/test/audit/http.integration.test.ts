import { randomUUID } from 'node:crypto';
import { createStatementReader } from '@evergrant/formats/audit/checkpoint';
import { type AuditEvent, readLine } from '@evergrant/formats/audit/event';
import { eventually } from '@evergrant/test-support/eventually';
import { each, verified } from '@evergrant/test-support/server/audit';
import { PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';

let world: TestWorld;
let server: RunningServer;

beforeAll(async () => {
  world = await TestWorld.create();
  server = await world.startGranting();
});

afterAll(() => world.close());

async function checkout(seats = 1, feature = 'studio', holder = 'room-1') {
  const leaseId = randomUUID();
  const answer = await server.call('PUT', `/v1/leases/${leaseId}`, { product: PRODUCT, feature, seats, holder });
  return { leaseId, status: answer.status };
}

const get = (path: string, token = TOKENS.reader) => server.call('GET', path, undefined, token);

async function exported(): Promise<AuditEvent[]> {
  const { body } = await get('/v1/audit/events?format=jsonl');
  return String(body)
    .trimEnd()
    .split('\n')
    .map((line) => {
      const read = readLine(line);
      if (read.kind !== 'event') throw new Error(`${line}: ${read.reason}`);
      return read.event;
    });
}

it('audit log: records checkout, denial and release', async () => {
  const held = await checkout(10);
  const denied = await checkout(1, 'studio', '=cmd|calc');
  expect([held.status, denied.status]).toEqual([201, 409]);
  await server.call('DELETE', `/v1/leases/${held.leaseId}`);
  const events = (await exported()).filter((event) => event.chain.startsWith('pool/') && event.kind !== 'pool_created');
  const told = events.map(({ kind, actor, body }) => ({ kind, actor, ...JSON.parse(body) }));
  expect(told).toMatchObject([
    { kind: 'lease_granted', actor: 'client', lease: held.leaseId, seats: 10, seatsTaken: 10 },
    { kind: 'denied', actor: 'client', lease: denied.leaseId, code: 'no_seat_available', seats: 1, seatsFree: 0 },
    { kind: 'lease_released', actor: 'client', lease: held.leaseId, because: 'released', seatsTaken: 0 },
  ]);
});

it('audit log: a denial that cannot be recorded is not answered', async () => {
  await world.database.query('drop trigger audit_only_grows on audit_event');
  await world.database.query(`create rule nothing as on insert to audit_event where new.kind = 'denied' do instead
    select 1 / (random() * 0)::int`);
  const holding = await checkout(10);
  const { status } = await checkout(1);
  await world.database.query('drop rule nothing on audit_event');
  expect(status).toBe(500);
  await server.call('DELETE', `/v1/leases/${holding.leaseId}`);
});

it('audit events: pages contain the same as the stream', async () => {
  const whole = await exported();
  const paged: AuditEvent[] = [];
  let cursor: string | null = null;
  do {
    const page: { body: { events: AuditEvent[]; nextCursor: string | null } } = await get(
      `/v1/audit/events?limit=3${cursor ? `&cursor=${cursor}` : ''}`,
    );
    paged.push(...page.body.events);
    cursor = page.body.nextCursor;
  } while (cursor);
  expect(paged.slice(0, whole.length)).toEqual(whole);
  expect(whole.length).toBeGreaterThan(6);
});

it('audit events: can be filtered by chain, kind and time', async () => {
  const whole = await exported();
  const middle = whole[Math.floor(whole.length / 2)]!;
  const chain = encodeURIComponent(middle.chain);
  const { body } = await get(`/v1/audit/events?limit=5000&chain=${chain}&since=${middle.at}&kind=${middle.kind}`);
  expect(body.events).toEqual(
    whole.filter(
      ({ chain, at, kind }) => chain === middle.chain && at >= middle.at.slice(0, 23) && kind === middle.kind,
    ),
  );
  const before = await get(`/v1/audit/events?limit=5000&until=${middle.at}`);
  expect(before.body.events.length).toBeLessThan(whole.length);
  expect(before.body.events.every((event: AuditEvent) => event.at < middle.at)).toBe(true);
});

it('audit events: verify with the signed heads and checkpoints', async () => {
  await checkout(1, 'runner');
  const { heads } = (await get('/v1/audit/heads')).body;
  const covered = async () => {
    const { checkpoints } = (await get('/v1/audit/checkpoints?limit=5000')).body;
    const chains = new Set(checkpoints.map(({ chain }: { chain: string }) => chain));
    return chains.size === heads.length ? checkpoints : undefined;
  };
  const checkpoints = await eventually('each chain has a checkpoint', covered);
  const statements = [
    ...checkpoints,
    ...heads.map(({ chain, jws }: { chain: string; jws: string }) => ({ chain, number: null, jws })),
  ].sort((a, b) => (a.chain < b.chain ? -1 : a.chain > b.chain ? 1 : (a.number ?? 1e9) - (b.number ?? 1e9)));
  const readStatement = await createStatementReader((await get('/.well-known/jwks.json')).body);
  const { findings, summary } = await verified(await exported(), { statements: each(statements), readStatement });
  expect(findings).toEqual([]);
  expect(summary).toMatchObject({ chains: heads.length, statements: statements.length, findings: 0 });
});

it('audit events: CSV escapes formulas', async () => {
  const { body, headers } = await get('/v1/audit/events?format=csv&kind=denied');
  expect(headers['content-type']).toBe('text/csv; charset=utf-8');
  const [head, row] = String(body).split('\n');
  expect(head).toBe(
    'chain,seq,epoch,era,at,kind,actor,lease,holder,seats,seatsTaken,controlRoom,code,because,reason,body,previousHash,hash',
  );
  expect(row).toContain(`,'=cmd|calc,1,`);
});

it('audit events: require the scope read or admin and valid parameters', async () => {
  expect((await get('/v1/audit/events', TOKENS.client)).status).toBe(403);
  expect((await get('/v1/reports/usage', TOKENS.client)).status).toBe(403);
  expect((await get('/v1/audit/events', TOKENS.admin)).status).toBe(200);
  for (const path of [
    '/v1/audit/events?since=yesterday',
    '/v1/audit/events?since=0000-01-01T00:00:00Z',
    '/v1/audit/events?since=2026-11-22T23:59:60Z',
    '/v1/audit/events?since=2026-11-22T10:00:00%2B23:59',
    '/v1/audit/events?format=xml',
    '/v1/audit/events?cursor=pool/1',
    '/v1/audit/events?limit=5001',
    '/v1/audit/events?chain=pool/0',
    '/v1/audit/checkpoints?until=now',
    '/v1/reports/usage?since=2026-11-31',
    '/v1/reports/usage?since=2026-11-20&until=2026-11-19',
    '/v1/reports/usage?since=1900-01-01',
    '/v1/reports/holders?at=2199-01-01T00:00:00Z',
  ]) {
    const { status, body } = await get(path);
    expect([path, status, body.code, typeof body.field]).toEqual([path, 422, 'invalid_request', 'string']);
  }
});
