import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { BenchDatabaseLogin, CommitHeartbeatsRequest, CommitPairsRequest } from '../messages';
import type { Counter } from './counter';
import { failure, type RunningLoad } from './running-load';

const INSERT_LEASE = `
with counted as (
  update pool set grant_seq = grant_seq + 1 where id = $2 returning grant_seq
)
insert into lease (id, pool_id, holder, seats, seq, epoch, granted_at, expires_at)
select $1, $2, $3, 1, counted.grant_seq, $4, clock_timestamp(), clock_timestamp() + interval '10 minutes' from counted`;

const RELEASE_LEASE = `
update lease set state = 'released', ended_at = clock_timestamp() where id = $1 and state = 'live'`;

const RENEW_LEASE = `
update lease set expires_at = clock_timestamp() + interval '10 minutes', epoch = $2 where id = $1 and state = 'live'`;

/**
 * The baseline: PostgreSQL's own commit rate. Each connection sends a prepared statement with the server's writes and waits
 * for its commit. Nothing is decided, signed or batched.
 */
export async function commitPairs(request: CommitPairsRequest, counter: Counter): Promise<RunningLoad> {
  const { poolIds, epoch } = request;
  return run(request, counter, async (client, index) => {
    const leaseId = randomUUID();
    const poolId = poolIds[index % poolIds.length];
    await timed(counter, () =>
      client.query({ name: 'insert', text: INSERT_LEASE, values: [leaseId, poolId, `bench-${index}`, epoch] }),
    );
    await timed(counter, () => client.query({ name: 'release', text: RELEASE_LEASE, values: [leaseId] }));
    counter.completed();
  });
}

export async function commitHeartbeats(request: CommitHeartbeatsRequest, counter: Counter): Promise<RunningLoad> {
  const { leaseIds, epoch, connections } = request;
  const turns = Array.from({ length: connections }, (_, index) => index);
  return run(request, counter, async (client, index) => {
    const turn = turns[index] as number;
    turns[index] = turn + connections < leaseIds.length ? turn + connections : index;
    await timed(counter, () => client.query({ name: 'renew', text: RENEW_LEASE, values: [leaseIds[turn], epoch] }));
    counter.completed();
  });
}

async function timed(counter: Counter, commit: () => Promise<{ rowCount: number | null }>): Promise<void> {
  const sentAtMs = performance.now();
  const { rowCount } = await commit();
  counter.answered(rowCount === 1 ? 'committed' : 'no row', sentAtMs);
}

async function run(
  { connections, login }: { connections: number; login: BenchDatabaseLogin },
  counter: Counter,
  step: (client: Client, index: number) => Promise<void>,
): Promise<RunningLoad> {
  const clients = Array.from(
    { length: connections },
    () => new Client({ ...login, connectionTimeoutMillis: 60_000, application_name: 'evergrant bench' }),
  );
  await Promise.all(clients.map((client) => client.connect()));
  // The first statements of a connection also pay for plans and for loading the triggers.
  await Promise.all(clients.map(step));
  const repeat = async (client: Client, index: number): Promise<void> => {
    while (counter.isRunning) await step(client, index);
  };
  const { failed, fail } = failure();
  const idle = Promise.all(clients.map(repeat)).catch(fail);
  return {
    failed,
    close: async () => {
      await idle;
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}
