import { FAILBACK_STAGES } from '../../lambda/failover/core/operations';
import { isOrder, take } from '../../lambda/failover/orders';
import { automationDocument, type DocumentedOrder } from '../../lib/runbooks/automation-document';
import { MemoryWorld } from '../lambda/support/memory-world';

interface Step {
  readonly name: string;
  readonly action: string;
  readonly onFailure?: string;
  readonly isEnd?: boolean;
  readonly inputs: {
    readonly Payload?: string;
    readonly Steps?: readonly Step[];
    readonly Choices?: readonly { readonly NextStep: string; readonly Variable: string }[];
    readonly Default?: string;
  };
  readonly outputs?: readonly { readonly Name: string }[];
}

const PLACES = { functionName: 'evergrant-failover', roleArn: 'arn:role', approvalsTopicArn: 'arn:topic' };
const DOCUMENTED: readonly DocumentedOrder[] = [
  { order: 'failover', description: 'd', question: 'q', looksMax: 60 },
  ...FAILBACK_STAGES.map((stage) => ({
    order: 'failback' as const,
    stage,
    description: 'd',
    question: 'q',
    looksMax: 60,
  })),
];

function stepsOf(documented: DocumentedOrder): readonly Step[] {
  return (automationDocument(documented, PLACES) as { mainSteps: Step[] }).mainSteps;
}

/** What the Lambda gets of a step, when Systems Manager has put its values in. */
function payload(step: Step | undefined, values: Readonly<Record<string, string>>): unknown {
  const text = step?.inputs.Payload ?? '';
  return JSON.parse(text.replace(/\{\{ ([\w.]+) \}\}/g, (_all, name: string) => values[name] ?? `no ${name}`));
}

describe.each(DOCUMENTED)('the Automation document of $order $stage', (documented) => {
  const steps = stepsOf(documented);
  const named = (name: string): Step | undefined => steps.find((step) => step.name === name);

  it('does nothing before somebody has approved', () => {
    expect(steps[0]).toMatchObject({ action: 'aws:approve', onFailure: 'Abort', inputs: { MinRequiredApprovals: 1 } });
  });

  it('gives the controller an order that it takes, and asks what became of it', async () => {
    const ports = new MemoryWorld().ports();
    const order = payload(named('Order'), { By: 'a.person', Reason: 'a drill' });
    if (!isOrder(order)) throw new Error(`no order: ${JSON.stringify(order)}`);
    expect(order).toMatchObject({ by: 'a.person', reason: 'a drill' });
    const taken = await take(order, ports);
    expect(taken).toMatchObject({ state: 'under-way', requestId: expect.any(String) });
    const look = payload(named('AwaitEnd')?.inputs.Steps?.[0], { 'Order.requestId': taken.requestId ?? '' });
    expect(look).toEqual({ ask: taken.requestId });
    expect(isOrder(look)).toBe(true);
  });

  it('leads everywhere to a step that is there, and ends in success or in refusal', () => {
    const all = new Set(steps.map(({ name }) => name));
    for (const { inputs } of steps) {
      for (const { NextStep } of inputs.Choices ?? []) expect(all).toContain(NextStep);
      if (inputs.Default !== undefined) expect(all).toContain(inputs.Default);
    }
    expect(steps.filter(({ isEnd }) => isEnd).map(({ name }) => name)).toEqual(['Done', 'Refused']);
  });
});
