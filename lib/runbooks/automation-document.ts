import type { OperatorEventResult } from '@evergrant/controller/aws/operator-events';
import type { FailbackStage } from '@evergrant/controller/core/operations';

/** An order that a document gives to the controller, and what people are asked before. */
export interface DocumentedOrder {
  readonly order: 'failover' | 'failback';
  readonly stage?: FailbackStage;
  readonly description: string;
  /** What the approver must know. */
  readonly question: string;
  /** `hours`: a copy of a whole database. It is looked at every ten minutes once it has taken most of an hour. */
  readonly takes: 'minutes' | 'hours';
}

export interface DocumentPlaces {
  readonly functionName: string;
  readonly roleArn: string;
  readonly approvalsTopicArn: string;
}

type Step = Readonly<Record<string, unknown>>;

/** More a loop never does; it then goes on as if its condition had ended it (user guide, aws:loop). */
const LOOKS_MAX = 100;
/** A look waits for half a minute by itself: 100 of them are 50 minutes, and with this pause 17 hours. */
const PAUSE_BETWEEN_LOOKS = 'PT10M';
/** One order for one execution: sent a second time, it is the same one. */
const REQUEST_ID = '{{ automation:EXECUTION_ID }}';

/**
 * A Systems Manager Automation document: approval, order, and then looks until it has ended. It gives the same order as
 * the terminal does, to the same core; started a second time, it finds the stage done. It succeeds only when the
 * controller has said that it is done: what is refused, or still under way after the last look, fails it, in words.
 *
 * Steps read each other's predefined output `Payload`, the text of the answer, and look for its mark.
 */
export function automationDocument(documented: DocumentedOrder, places: DocumentPlaces): object {
  const { order, stage, description, takes } = documented;
  const { functionName, roleArn } = places;
  const what = { order, ...(stage === undefined ? {} : { stage }), by: '{{ By }}', reason: '{{ Reason }}' };
  const look = (name: string): Step => invocation(name, functionName, { ask: REQUEST_ID });
  const longer: readonly Step[] = [
    looks('AwaitLonger', [
      { name: 'Pause', action: 'aws:sleep', inputs: { Duration: PAUSE_BETWEEN_LOOKS } },
      look('LookAgain'),
    ]),
    look('LastOutcome'),
    branch('EndedAfterAll', { step: 'LastOutcome', leads: { done: 'Done' }, otherwise: 'NotDoneAfterAll' }),
    failure('NotDoneAfterAll', 'LastOutcome'),
  ];
  const patient = takes === 'hours';
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
      looks('AwaitEnd', [look('Look')]),
      look('Outcome'),
      branch('Ended', {
        step: 'Outcome',
        leads: { done: 'Done', ...(patient ? { 'under-way': 'AwaitLonger' } : {}) },
        otherwise: 'NotDone',
      }),
      failure('NotDone', 'Outcome'),
      ...(patient ? longer : []),
      { name: 'Done', action: 'aws:sleep', inputs: { Duration: 'PT1S' }, isEnd: true },
    ],
    outputs: ['Order.Payload', 'Outcome.Payload', ...(patient ? ['LastOutcome.Payload'] : [])],
  };
}

const PARAMETERS = {
  Approvers: { type: 'StringList', description: 'Names or ARNs of those who may approve' },
  By: { type: 'String', description: 'Who asks; kept in the history', allowedPattern: '^[\\w .@-]{1,60}$' },
  Reason: {
    type: 'String',
    description: 'Why, in one line without quotation marks, backslashes or braces; kept in the history',
    // It is put into the text of a call: nothing that could end the text, or be taken for one of the document's names.
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

/** Repeats steps, of which the last one looks, while the answer is that it is under way. */
function looks(name: string, steps: readonly Step[]): Step {
  return {
    name,
    action: 'aws:loop',
    inputs: {
      Steps: steps,
      LoopCondition: says(String(steps.at(-1)?.name), 'under-way'),
      MaxIterations: LOOKS_MAX,
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
      Choices: choices.map(([state, next]) => ({ NextStep: next, ...says(step, state) })),
      Default: otherwise,
    },
  };
}

function says(
  step: string,
  state: OperatorEventResult['state'],
): { Variable: string; Contains: OperatorEventResult['mark'] } {
  return { Variable: `{{ ${step}.Payload }}`, Contains: `order:${state}` };
}

/** No step fails with a sentence of its own but a script. */
function failure(name: string, step: string): Step {
  return {
    name,
    action: 'aws:executeScript',
    inputs: {
      Runtime: 'python3.11',
      Handler: 'tell',
      InputPayload: { answer: `{{ ${step}.Payload }}` },
      Script: "def tell(events, context):\n    raise Exception('Not done: ' + str(events['answer']))\n",
    },
    isEnd: true,
  };
}
