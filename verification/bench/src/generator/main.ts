/** The load generator process: executes the requests of its parent one after the other. */
import { setTimeout as wait } from 'node:timers/promises';
import type { GeneratorEvent, GeneratorRequest, LoadRequest, Measured } from '../messages';
import { commitHeartbeats, commitPairs } from './commit-load';
import { Counter } from './counter';
import { heartbeats, pairs } from './http-load';
import type { RunningLoad } from './running-load';
import { idleSessions, sessionHeartbeats } from './session-load';

/** Sessions that the last request left open. */
let held: { close(): void } | undefined;

function begin(request: LoadRequest, counter: Counter): Promise<RunningLoad> {
  switch (request.kind) {
    case 'pairs':
      return pairs(request, counter);
    case 'heartbeats':
      return heartbeats(request, counter);
    case 'session-heartbeats':
      return sessionHeartbeats(request, counter);
    case 'commit-pairs':
      return commitPairs(request, counter);
    case 'commit-heartbeats':
      return commitHeartbeats(request, counter);
  }
}

async function measure(request: LoadRequest): Promise<Measured> {
  const counter = new Counter();
  const load = await begin(request, counter);
  try {
    await Promise.race([wait(request.warmUpSeconds * 1000), load.failed]);
    print({ kind: 'counting' });
    counter.begin();
    await Promise.race([wait(request.seconds * 1000), load.failed]);
    counter.end();
    print({ kind: 'counted' });
    return counter.measured();
  } finally {
    if (counter.isRunning) counter.end();
    await load.close();
  }
}

async function execute(request: GeneratorRequest): Promise<GeneratorEvent> {
  held?.close();
  held = undefined;
  if (request.kind !== 'idle-sessions') return { kind: 'measured', measured: await measure(request) };
  held = await idleSessions(request);
  return { kind: 'open', sessions: request.sessions };
}

function print(notice: GeneratorEvent): void {
  process.send?.(notice);
}

process.on('message', (request: GeneratorRequest) => {
  execute(request).then(print, (error: unknown) => {
    print({ kind: 'failed', because: error instanceof Error ? error.message : String(error) });
  });
});
// The parent process has ended.
process.on('disconnect', () => process.exit(0));
