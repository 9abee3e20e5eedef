import { randomUUID } from 'node:crypto';
import type { AuditEvent } from '@evergrant/formats/audit/event';
import type { Finding } from '@evergrant/formats/audit/finding';
import { type VerificationInput, type VerificationSummary, verifyLog } from '@evergrant/formats/audit/verification';
import { TestDatabase, type TestRole } from '../test-database';
import { importForTest } from './test-licenses';

export const SYSTEM = 'system';

/** A license database with the pools `studio` (10 seats) and `runner` (100,000), and epoch 1 of Oregon. */
export async function auditedDatabase(): Promise<TestDatabase> {
  const database = await TestDatabase.clone();
  await database.as('evergrant_owner', async (client) => {
    await importForTest(client, {
      licenseId: 'lic-1',
      customer: 'Acme',
      product: 'Assembler',
      entitlements: [
        { feature: 'studio', seats: 10 },
        { feature: 'runner', seats: 100_000 },
      ],
    });
    await client.query(`insert into epoch (epoch, region, opened_by) values (1, 'oregon', 'oregon/app-1')`);
  });
  return database;
}

export async function poolChain(database: TestDatabase, feature: string): Promise<string> {
  const [row] = await database.query<{ id: number }>('select id from pool where feature = $1', [feature]);
  return `pool/${row?.id}`;
}

/** The log as an export has it, read without the product. */
export async function allEvents(database: TestDatabase): Promise<AuditEvent[]> {
  const rows = await database.query<
    Omit<AuditEvent, 'seq' | 'epoch' | 'era'> & Record<'seq' | 'epoch' | 'era', string>
  >(
    `select chain, seq, epoch, era, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, kind, actor,
       body::text as body, encode(previous_hash, 'hex') as "previousHash", encode(hash, 'hex') as hash
     from audit_event order by chain, seq`,
  );
  return rows.map((row) => ({ ...row, seq: Number(row.seq), epoch: Number(row.epoch), era: Number(row.era) }));
}

export interface ToldEvent {
  readonly chain: string;
  readonly kind: string;
  readonly actor: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was written
  readonly body: any;
}

/** The events that `work` wrote, bodies parsed. */
export async function writtenBy(database: TestDatabase, work: () => Promise<unknown>): Promise<ToldEvent[]> {
  const key = ({ chain, seq }: AuditEvent): string => `${chain} ${seq}`;
  const before = new Set((await allEvents(database)).map(key));
  await work();
  return (await allEvents(database))
    .filter((event) => !before.has(key(event)))
    .map(({ chain, kind, actor, body }) => ({ chain, kind, actor, body: JSON.parse(body) }));
}

export function statement(
  database: TestDatabase,
  role: TestRole,
  sql: string,
  values: unknown[] = [],
): Promise<unknown> {
  return database.as(role, (client) => client.query(sql, values));
}

/** Leases as the release before this one wrote them: without the columns it did not know. Resolves to their ids. */
export async function takeSeats(
  database: TestDatabase,
  seats: readonly number[],
  { feature = 'studio', role = 'evergrant_server' as TestRole } = {},
): Promise<string[]> {
  const ids = seats.map(() => randomUUID());
  await statement(
    database,
    role,
    `with counted as (update pool set grant_seq = grant_seq + 1 where feature = $3 returning id, grant_seq)
     insert into lease (id, pool_id, holder, seats, seq, epoch, granted_at, expires_at)
     select l.id, counted.id, 'room-' || n, l.seats, counted.grant_seq + n, 1, clock_timestamp(), clock_timestamp() + interval '1 h'
     from unnest($1::uuid[], $2::int[]) with ordinality as l (id, seats, n), counted order by l.id`,
    [ids, seats, feature],
  );
  return ids;
}

export async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

/** Verifies events, by default without any statement about them. */
export async function verified(
  events: readonly AuditEvent[],
  options: Partial<VerificationInput> = {},
): Promise<{ findings: Finding[]; summary: VerificationSummary }> {
  const run = verifyLog({
    events: each(events.map((event) => ({ kind: 'event', event }) as const)),
    statements: each([]),
    readStatement: () => Promise.resolve({ kind: 'forged', reason: 'there are no keys' }),
    whole: true,
    ...options,
  });
  const findings: Finding[] = [];
  for (;;) {
    const next = await run.next();
    if (next.done) return { findings, summary: next.value };
    findings.push(next.value);
  }
}
