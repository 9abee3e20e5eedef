import { WebSocket } from 'ws';
import type { IdleSessionsRequest, SessionHeartbeatsRequest } from '../messages';
import type { Counter } from './counter';
import { BenchLeaseTokens } from './lease-tokens';
import { failure, type RunningLoad } from './running-load';

const SUBPROTOCOL = 'evergrant.v1';
/** Sessions opened at once; a listening socket's backlog is limited. */
const OPENED_TOGETHER = 100;

/** One session per connection with one heartbeat in flight. */
export async function sessionHeartbeats(request: SessionHeartbeatsRequest, counter: Counter): Promise<RunningLoad> {
  const { connections, serverPorts, token } = request;
  const leases = new BenchLeaseTokens(request);
  const { failed, fail } = failure();
  const sessions = await Promise.all(
    Array.from({ length: connections }, (_, index) =>
      openSession(serverPorts[index % serverPorts.length] as number, token),
    ),
  );
  sessions.forEach((session, index) => {
    session.once('close', (code) => counter.isRunning && fail(new Error(`a session was closed with ${code}`)));
    beat(session, index, { counter, leases });
  });
  return {
    failed,
    close: async () => {
      for (const session of sessions) session.terminate();
    },
  };
}

/** Answers have an id; messages that the server pushes have none. */
const ANSWER = /^\{"id":"?\d/;
const STATUS = /"status":(\d{3})/;

function beat(
  session: WebSocket,
  index: number,
  { counter, leases }: { counter: Counter; leases: BenchLeaseTokens },
): void {
  let id = 0;
  let lease = leases.next(index);
  let sentAtMs = 0;
  const send = (): void => {
    if (!counter.isRunning) return;
    lease = leases.next(index);
    sentAtMs = performance.now();
    const token = lease.token === '' ? '' : `,"token":"${lease.token}"`;
    session.send(`{"id":"${++id}","op":"heartbeat","leaseId":"${lease.leaseId}"${token}}`);
  };
  session.on('message', (message: Buffer) => {
    const text = message.toString('latin1');
    if (!ANSWER.test(text)) return;
    const status = Number(STATUS.exec(text)?.[1]);
    counter.answered(status, sentAtMs);
    if (status === 200) {
      counter.completed();
      lease.remember(message);
    }
    send();
  });
  send();
}

/** Opens idle sessions. Resolves when all are open; `close` ends them. */
export async function idleSessions(request: IdleSessionsRequest): Promise<{ close(): void }> {
  const sessions: WebSocket[] = [];
  while (sessions.length < request.sessions) {
    const selectCases = Math.min(OPENED_TOGETHER, request.sessions - sessions.length);
    const opened = Array.from({ length: selectCases }, () => openSession(request.serverPort, request.token));
    sessions.push(...(await Promise.all(opened)));
  }
  return { close: () => sessions.forEach((session) => void session.terminate()) };
}

function openSession(port: number, token: string): Promise<WebSocket> {
  return new Promise((opened, failed) => {
    const session = new WebSocket(`ws://127.0.0.1:${port}/v1/session`, SUBPROTOCOL, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
    });
    session.once('open', () => opened(session));
    session.on('error', failed);
  });
}
