import type { FailbackStage } from '../../lambda/failover/core/operations';

/** An order that a document gives to the controller, and what people are asked before. */
export interface DocumentedOrder {
  readonly order: 'failover' | 'failback';
  readonly stage?: FailbackStage;
  readonly description: string;
  /** What the approver must know. */
  readonly question: string;
  /** Each look waits half a minute and asks for another; at most 100 of them. */
  readonly looksMax: number;
}

export interface DocumentPlaces {
  readonly functionName: string;
  readonly roleArn: string;
  readonly approvalsTopicArn: string;
}

/**
 * A Systems Manager Automation document: approval, order, and then looks until it has ended. It gives the same order as
 * the terminal does, to the same core; started a second time, it finds the stage done.
 */
export function automationDocument(documented: DocumentedOrder, places: DocumentPlaces): object {
  const { order, stage, description, question, looksMax } = documented;
  const { functionName, roleArn, approvalsTopicArn } = places;
  const by = '{{ By }}';
  return {
    schemaVersion: '0.3',
    description,
    assumeRole: roleArn,
    parameters: {
      Approvers: { type: 'StringList', description: 'Names or ARNs of those who may approve' },
      By: { type: 'String', description: 'Who asks; kept in the history', allowedPattern: '^[\\w .@-]{1,60}$' },
      Reason: { type: 'String', description: 'Why; kept in the history', allowedPattern: '^[^"\\\\]{1,200}$' },
    },
    mainSteps: [
      {
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
      },
      {
        ...invocation('Order', functionName, {
          order,
          ...(stage === undefined ? {} : { stage }),
          by,
          reason: '{{ Reason }}',
        }),
        onFailure: 'Abort',
      },
      refusedOr('Accepted', 'Order', 'AwaitEnd'),
      {
        name: 'AwaitEnd',
        action: 'aws:loop',
        inputs: {
          Steps: [invocation('Look', functionName, { ask: '{{ Order.requestId }}' })],
          LoopCondition: { Variable: '{{ Look.state }}', StringEquals: 'under-way' },
          MaxIterations: looksMax,
        },
      },
      invocation('Outcome', functionName, { ask: '{{ Order.requestId }}' }),
      refusedOr('Ended', 'Outcome', 'Done'),
      { name: 'Done', action: 'aws:sleep', inputs: { Duration: 'PT1S' }, isEnd: true },
      {
        name: 'Refused',
        action: 'aws:executeAwsApi',
        // There is no step that fails with a sentence of ours: this one asks for what is not there, in our words.
        inputs: { Service: 'ssm', Api: 'GetParameter', Name: 'evergrant-refused-see-the-outputs-of-Order-and-Outcome' },
        isEnd: true,
      },
    ],
    outputs: ['Order.because', 'Outcome.state', 'Outcome.because'],
  };
}

function invocation(
  name: string,
  functionName: string,
  payload: Readonly<Record<string, string>>,
): Record<string, unknown> {
  return {
    name,
    action: 'aws:invokeLambdaFunction',
    timeoutSeconds: 60,
    maxAttempts: 3,
    inputs: { FunctionName: functionName, Payload: JSON.stringify(payload) },
    outputs: ['state', 'because', 'requestId'].map((output) => ({
      Name: output,
      Selector: `$.Payload.${output}`,
      Type: 'String',
    })),
  };
}

function refusedOr(name: string, step: string, next: string): object {
  return {
    name,
    action: 'aws:branch',
    inputs: {
      Choices: [{ NextStep: 'Refused', Variable: `{{ ${step}.state }}`, StringEquals: 'refused' }],
      Default: next,
    },
  };
}
