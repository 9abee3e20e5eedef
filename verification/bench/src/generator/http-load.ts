import { randomUUID } from 'node:crypto';
import type { HeartbeatsRequest, PairsRequest } from '../messages';
import type { Counter } from './counter';
import { type HttpAnswer, HttpConnection } from './http-connection';
import { BenchLeaseTokens, tokenIn } from './lease-tokens';
import { failure, type RunningLoad } from './running-load';

/** Drives one connection; calls `done` when the load has ended and no request is in flight. */
type Drive = (connection: HttpConnection, index: number, done: () => void) => void;

/** Alternates checkout and release on every connection. */
export function pairs(request: PairsRequest, counter: Counter): Promise<RunningLoad> {
  const { product, feature, latenciesOf } = request;
  return run(request, (connection, index, done) => {
    const checkoutBody = JSON.stringify({ product, feature, seats: 1, holder: `bench-${index}` });
    const checkout = (): void => {
      if (!counter.isRunning) {
        done();
        return;
      }
      const leaseId = randomUUID();
      const sentAtMs = performance.now();
      connection.send('PUT', `/v1/leases/${leaseId}`, checkoutBody, (answer) => {
        counter.answered(answer.status, sentAtMs);
        if (answer.status === 201) release(leaseId, answer);
        else checkout();
      });
    };
    const release = (leaseId: string, granted: HttpAnswer): void => {
      const body = `{"token":"${tokenIn(granted.body)}"}`;
      const sentAtMs = latenciesOf === 'both' ? performance.now() : undefined;
      connection.send('DELETE', `/v1/leases/${leaseId}`, body, ({ status }) => {
        counter.answered(status, sentAtMs);
        if (status === 204) counter.completed();
        checkout();
      });
    };
    checkout();
  });
}

/** Each connection renews its own leases in turn. */
export function heartbeats(request: HeartbeatsRequest, counter: Counter): Promise<RunningLoad> {
  const leases = new BenchLeaseTokens(request);
  return run(request, (connection, index, done) => {
    const beat = (): void => {
      if (!counter.isRunning) {
        done();
        return;
      }
      const lease = leases.next(index);
      const sentAtMs = performance.now();
      connection.send('POST', lease.heartbeatPath, lease.body, ({ status, body }) => {
        counter.answered(status, sentAtMs);
        if (status === 200) {
          counter.completed();
          lease.remember(body);
        }
        beat();
      });
    };
    beat();
  });
}

async function run(
  { connections, serverPorts, token }: Pick<PairsRequest, 'connections' | 'serverPorts' | 'token'>,
  drive: Drive,
): Promise<RunningLoad> {
  const { failed, fail } = failure();
  const open = await Promise.all(
    Array.from({ length: connections }, (_, index) =>
      HttpConnection.open(serverPorts[index % serverPorts.length] as number, token, fail),
    ),
  );
  const idle = Promise.all(
    open.map((connection, index) => new Promise<void>((done) => drive(connection, index, done))),
  );
  return {
    failed,
    close: async () => {
      await Promise.race([idle, failed]).catch(() => undefined);
      for (const connection of open) connection.close();
    },
  };
}
