/** The failover controller as a Lambda. Events of the schedule run cycles; events of operators are orders. */

import { readFailoverEnvironment } from '@evergrant/controller/aws/environment';
import { heartbeatInOregon } from '@evergrant/controller/aws/heartbeat';
import { runScheduledInvocation } from '@evergrant/controller/aws/invocation';
import {
  accept,
  isOperatorEvent,
  type OperatorEventResult,
  pollResult,
} from '@evergrant/controller/aws/operator-events';
import { connectAws } from '@evergrant/controller/aws/ports';
import { Telemetry } from '@evergrant/controller/aws/telemetry';

const environment = readFailoverEnvironment(process.env);
const ports = connectAws(environment);
const telemetry = new Telemetry();
const heartbeat = heartbeatInOregon();

/** Maximum time that a poll waits for the end of an order, below the time-out of its caller. */
const POLL_MS = 30_000;

export async function handler(
  event: unknown,
  { getRemainingTimeInMillis: remainingMs }: { getRemainingTimeInMillis: () => number },
): Promise<OperatorEventResult | undefined> {
  if (isOperatorEvent(event)) return 'ask' in event ? pollResult(event.ask, ports, POLL_MS) : accept(event, ports);
  await runScheduledInvocation({ environment, ports, telemetry, heartbeat, remainingMs });
  return undefined;
}
