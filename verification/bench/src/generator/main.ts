/** The load generator: carries out one order after the other, as they come from the process that started it. */
import { setTimeout as wait } from 'node:timers/promises';
import type { LoadOrder, Measured, Notice, Order } from '../messages';
import { commitHeartbeats, commitPairs } from './commit-load';
import { Counter } from './counter';
import { heartbeats, pairs } from './http-load';
import type { RunningLoad } from './running-load';
import { idleSessions, sessionHeartbeats } from './session-load';

/** What the last order left open. */
let held: { close(): void } | undefined;

function begin(order: LoadOrder, counter: Counter): Promise<RunningLoad> {
  switch (order.kind) {
    case 'pairs':
      return pairs(order, counter);
    case 'heartbeats':
      return heartbeats(order, counter);
    case 'session-heartbeats':
      return sessionHeartbeats(order, counter);
    case 'commit-pairs':
      return commitPairs(order, counter);
    case 'commit-heartbeats':
      return commitHeartbeats(order, counter);
  }
}

async function measure(order: LoadOrder): Promise<Measured> {
  const counter = new Counter();
  const load = await begin(order, counter);
  try {
    await Promise.race([wait(order.warmUpSeconds * 1000), load.failed]);
    tell({ kind: 'counting' });
    counter.begin();
    await Promise.race([wait(order.seconds * 1000), load.failed]);
    counter.end();
    tell({ kind: 'counted' });
    return counter.measured();
  } finally {
    if (counter.isRunning) counter.end();
    await load.close();
  }
}

async function carryOut(order: Order): Promise<Notice> {
  held?.close();
  held = undefined;
  if (order.kind !== 'idle-sessions') return { kind: 'measured', measured: await measure(order) };
  held = await idleSessions(order);
  return { kind: 'open', sessions: order.sessions };
}

function tell(notice: Notice): void {
  process.send?.(notice);
}

process.on('message', (order: Order) => {
  carryOut(order).then(tell, (error: unknown) => {
    tell({ kind: 'failed', because: error instanceof Error ? error.message : String(error) });
  });
});
// Whoever gives the orders is gone.
process.on('disconnect', () => process.exit(0));
