import type { OperatorEventResult } from '@evergrant/controller/aws/operator-events';
import type { FailbackStage } from '@evergrant/controller/core/operations';

/** An operator's request that a document sends to the controller, and the question to its approvers. */
export interface DocumentedOrder {
  readonly order: 'failover' | 'failback';
  readonly stage?: FailbackStage;
  readonly description: string;
  /** The effects of the request, for the approver. */
  readonly question: string;
  /** `hours` for a copy of a whole database. After most of an hour the document polls only every ten minutes. */
  readonly takes: 'minutes' | 'hours';
}

export interface DocumentPlaces {
  readonly functionName: string;
  readonly roleArn: string;
  readonly approvalsTopicArn: string;
}

type Step = Readonly<Record<string, unknown>>;

/** Maximum of aws:loop. At the maximum the loop ends as if its condition were false (user guide, aws:loop). */
const POLLS_MAX = 100;
/** Each poll waits half a minute, so 100 polls take 50 minutes. With this pause they take 17 hours. */
const PAUSE_BETWEEN_POLLS = 'PT10M';
/** One request id per execution, so a repeated step sends the same request. */
const REQUEST_ID = '{{ automation:EXECUTION_ID }}';

/**
 * A Systems Manager Automation document: approval, request, then polls until the request has ended. It sends the same
 * request as the `evergrant` command. A second execution finds the stage done. The execution succeeds only when the
 * controller reports the request as done. A refused or unfinished request fails the execution with its text.
 *
 * Steps search the mark of the state in the predefined output `Payload` of an earlier step.
 */
export function automationDocument(documented: DocumentedOrder, places: DocumentPlaces): object {
  const { order, stage, description, takes } = documented;
  const { functionName, roleArn } = places;
  const what = { order, ...(stage === undefined ? {} : { stage }), by: '{{ By }}', reason: '{{ Reason }}' };
  const poll = (name: string): Step => invocation(name, functionName, { ask: REQUEST_ID });
  const slowPolls: readonly Step[] = [
    pollLoop('AwaitLonger', [
      { name: 'Pause', action: 'aws:sleep', inputs: { Duration: PAUSE_BETWEEN_POLLS } },
      poll('LookAgain'),
    ]),
    poll('LastOutcome'),
    branch('EndedAfterAll', { step: 'LastOutcome', leads: { done: 'Done' }, otherwise: 'NotDoneAfterAll' }),
    failure('NotDoneAfterAll', 'LastOutcome'),
  ];
  const isSlow = takes === 'hours';
  return {
    schemaVersion: '0.3',
    description,
    assumeRole: roleArn,
    parameters: PARAMETERS,
    mainSteps: [
      approval(documented, places),
      { ...invocation('Order', functionName, { ...what, requestId: REQUEST_ID }), onFailure: 'Abort' },
      branch('Taken', { step: 'Order', leads: { done: 'AwaitEnd', 'under-way': 'AwaitEnd' }, otherwise: 'Refused' }),
      failure('Refused', 'Order'),
      pollLoop('AwaitEnd', [poll('Look')]),
      poll('Outcome'),
      branch('Ended', {
        step: 'Outcome',
        leads: { done: 'Done', ...(isSlow ? { 'under-way': 'AwaitLonger' } : {}) },
        otherwise: 'NotDone',
      }),
      failure('NotDone', 'Outcome'),
      ...(isSlow ? slowPolls : []),
      { name: 'Done', action: 'aws:sleep', inputs: { Duration: 'PT1S' }, isEnd: true },
    ],
    outputs: ['Order.Payload', 'Outcome.Payload', ...(isSlow ? ['LastOutcome.Payload'] : [])],
  };
}

const PARAMETERS = {
  Approvers: { type: 'StringList', description: 'Names or ARNs of the people who may approve' },
  By: { type: 'String', description: 'Name of the operator, for the history', allowedPattern: '^[\\w .@-]{1,60}$' },
  Reason: {
    type: 'String',
    description: 'Reason for the history, in one line without quotation marks, backslashes or braces',
    // The text is inserted into a JSON payload, so characters that end a string or start a document variable are excluded.
    allowedPattern: '^[^"\\\\{}\\x00-\\x1f\\x7f]{1,200}$',
  },
};

function approval({ question }: DocumentedOrder, { approvalsTopicArn }: DocumentPlaces): Step {
  return {
    name: 'Approve',
    action: 'aws:approve',
    timeoutSeconds: 3_600,
    onFailure: 'Abort',
    inputs: {
      NotificationArn: approvalsTopicArn,
      Message: question,
      MinRequiredApprovals: 1,
      Approvers: '{{ Approvers }}',
    },
  };
}

function invocation(name: string, functionName: string, payload: Readonly<Record<string, string>>): Step {
  return {
    name,
    action: 'aws:invokeLambdaFunction',
    timeoutSeconds: 60,
    maxAttempts: 3,
    inputs: { FunctionName: functionName, InputPayload: payload },
  };
}

/** Repeats steps while the last of them, a poll, reports that the request is in progress. */
function pollLoop(name: string, steps: readonly Step[]): Step {
  return {
    name,
    action: 'aws:loop',
    inputs: {
      Steps: steps,
      LoopCondition: containsState(String(steps.at(-1)?.name), 'under-way'),
      MaxIterations: POLLS_MAX,
    },
  };
}

interface Branching {
  readonly step: string;
  readonly leads: Readonly<Partial<Record<OperatorEventResult['state'], string>>>;
  readonly otherwise: string;
}

function branch(name: string, { step, leads, otherwise }: Branching): Step {
  const choices = Object.entries(leads) as [OperatorEventResult['state'], string][];
  return {
    name,
    action: 'aws:branch',
    inputs: {
      Choices: choices.map(([state, next]) => ({ NextStep: next, ...containsState(step, state) })),
      Default: otherwise,
    },
  };
}

function containsState(
  step: string,
  state: OperatorEventResult['state'],
): { Variable: string; Contains: OperatorEventResult['mark'] } {
  return { Variable: `{{ ${step}.Payload }}`, Contains: `order:${state}` };
}

/** Fails the execution with the text of an earlier step. Only a script step can fail with a message. */
function failure(name: string, step: string): Step {
  return {
    name,
    action: 'aws:executeScript',
    inputs: {
      Runtime: 'python3.11',
      Handler: 'fail',
      InputPayload: { answer: `{{ ${step}.Payload }}` },
      Script: "def fail(events, context):\n    raise Exception('Not done: ' + str(events['answer']))\n",
    },
    isEnd: true,
  };
}
