/** The failover controller as a Lambda: the schedule's events make it watch, people's events are orders. */
import { heartbeatInOregon } from './aws/heartbeat';
import { connectAws } from './aws/ports';
import { SCHEDULE } from './aws/schedule';
import { runCycle } from './cycle';
import { readFailoverEnvironment } from './environment';
import { runInvocation } from './invocation';
import { awaitEnd, isOrder, type OrderAnswer, take } from './orders';
import { Telemetry } from './telemetry';

const environment = readFailoverEnvironment(process.env);
const ports = connectAws(environment);
const telemetry = new Telemetry();
const heartbeat = heartbeatInOregon();

const STEP_EVERY_MS = 2_000;
/** An order waits so long for its end, below the time-out of whoever asks. */
const AWAIT_MS = 30_000;

export async function handler(
  event: unknown,
  { getRemainingTimeInMillis: remainingMs }: { getRemainingTimeInMillis: () => number },
): Promise<OrderAnswer | undefined> {
  if (isOrder(event)) return 'ask' in event ? awaitEnd(event.ask, ports, AWAIT_MS) : take(event, ports);
  const { policy, controller } = environment;
  const beats: Promise<void>[] = [];
  try {
    const { sampleEveryMs } = policy;
    await runInvocation({
      ...SCHEDULE,
      cycle: () => runCycle(ports, { controller, policy }),
      remainingMs,
      sampleEveryMs,
      stepEveryMs: Math.min(STEP_EVERY_MS, sampleEveryMs),
      report: (outcome) => {
        telemetry.report(outcome);
        beats.push(heartbeat());
      },
    });
    await Promise.all(beats);
    telemetry.standing((await ports.control.read()).record, ports.clock.nowMs());
  } catch (error) {
    telemetry.failed(error);
    throw error;
  } finally {
    telemetry.publish();
  }
  return undefined;
}
