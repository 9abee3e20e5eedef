/** The failover controller as a Lambda: the schedule's events make it watch, people's events are orders. */

import { readFailoverEnvironment } from '@evergrant/controller/aws/environment';
import { heartbeatInOregon } from '@evergrant/controller/aws/heartbeat';
import { runInvocation } from '@evergrant/controller/aws/invocation';
import { isOperatorEvent, type OperatorEventResult, pollResult, take } from '@evergrant/controller/aws/operator-events';
import { connectAws } from '@evergrant/controller/aws/ports';
import { SCHEDULE } from '@evergrant/controller/aws/schedule';
import { Telemetry } from '@evergrant/controller/aws/telemetry';
import { runCycle } from '@evergrant/controller/cycle';

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
): Promise<OperatorEventResult | undefined> {
  if (isOperatorEvent(event)) return 'ask' in event ? pollResult(event.ask, ports, AWAIT_MS) : take(event, ports);
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
    telemetry.verdictState((await ports.control.read()).record, ports.clock.nowMs());
  } catch (error) {
    telemetry.failed(error);
    throw error;
  } finally {
    telemetry.publish();
  }
  return undefined;
}
