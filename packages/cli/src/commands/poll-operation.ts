import { setTimeout as delay } from 'node:timers/promises';
import type { OperationReport, Phase } from '@evergrant/controller/core/operations';
import type { AnsweredRequest } from '@evergrant/controller/core/requests';
import { CommandError, EXIT } from '../errors';
import type { Output } from '../output';
import type { OperatorTarget } from '../target';

const POLL_MS = 250;
const ANSWER_LIMIT_MS = 60_000;
const OPERATION_LIMIT_MS = 15 * 60_000;

/** Waits until the controller accepts a request. @throws CommandError when the controller refuses it or does not respond */
export async function awaitAnswer(target: OperatorTarget, requestId: string, output: Output): Promise<AnsweredRequest> {
  const deadline = performance.now() + ANSWER_LIMIT_MS;
  output.progress('waiting for the controller to accept the request …');
  for (;;) {
    const { record } = await target.ports.control.read();
    const answer = record.lastAnswer;
    if (answer?.request.id === requestId) return accepted(answer);
    if (performance.now() > deadline) {
      const age =
        record.lastCycleAtMs === undefined
          ? 'never'
          : `${Math.round((Date.now() - record.lastCycleAtMs) / 1000)} s ago`;
      throw new CommandError({
        exitCode: EXIT.timedOut,
        code: 'no_answer',
        message: `No controller has responded to the request (last cycle: ${age}). The request stays recorded, and the next controller cycle runs it. Check the controller with: npx evergrant status`,
      });
    }
    await delay(POLL_MS);
  }
}

function accepted(answer: AnsweredRequest): AnsweredRequest {
  if (answer.outcome !== 'refused') return answer;
  throw new CommandError({ exitCode: EXIT.refused, code: 'refused', message: `Refused: ${answer.reason}` });
}

/** Prints the phases of an operation until it ends. @throws CommandError when it does not end in time */
export async function followOperation(
  target: OperatorTarget,
  operationId: string,
  output: Output,
): Promise<OperationReport> {
  const deadline = performance.now() + OPERATION_LIMIT_MS;
  let shown: string | undefined;
  while (performance.now() < deadline) {
    const { operation, lastOperation } = (await target.ports.control.read()).record;
    if (operation?.id !== operationId && lastOperation?.id === operationId) return ended(lastOperation);
    const progress = operation?.id === operationId ? progressOf(operation) : undefined;
    if (progress && progress !== shown) output.progress(`  ${progress}`);
    shown = progress ?? shown;
    await delay(POLL_MS);
  }
  throw new CommandError({
    exitCode: EXIT.timedOut,
    code: 'not_ended',
    message: `The operation has not completed within ${OPERATION_LIMIT_MS / 60_000} minutes and continues. Watch it with: npx evergrant status`,
  });
}

function progressOf({
  phase,
  stuck,
}: {
  phase: Phase;
  stuck: { observed: string; reason: string } | undefined;
}): string {
  return stuck ? `${phase}: ${stuck.reason}` : `${phase} …`;
}

function ended(report: OperationReport): OperationReport {
  if (report.outcome === 'done') return report;
  throw new CommandError({
    exitCode: EXIT.refused,
    code: report.outcome,
    message: `${report.kind}: ${report.outcome}: ${report.summary}`,
  });
}
