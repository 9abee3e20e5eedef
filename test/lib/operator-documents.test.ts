import {
  accept,
  isOperatorEvent,
  type OperatorEventResult,
  pollResult,
} from '@evergrant/controller/aws/operator-events';
import { FAILBACK_STAGES } from '@evergrant/controller/core/operations';
import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import { runCycle } from '@evergrant/controller/cycle';
import { MemoryWorld } from '@evergrant/test-support/controller/memory-world';
import { automationDocument, type DocumentedOrder } from '../../lib/runbooks/automation-document';
import { AutomationModel, type Document, type Execution } from './support/automation';

const PLACES = { functionName: 'evergrant-failover', roleArn: 'arn:role', approvalsTopicArn: 'arn:topic' };
const VALUES = { By: 'a.person', Reason: 'a drill', 'automation:EXECUTION_ID': 'execution-1' };
const DOCUMENTED: readonly DocumentedOrder[] = [
  { order: 'failover', description: 'd', question: 'q', takes: 'minutes' },
  ...FAILBACK_STAGES.map((stage) => ({
    order: 'failback' as const,
    stage,
    description: 'd',
    question: 'q',
    takes: 'hours' as const,
  })),
];

function documentOf(documented: DocumentedOrder): Document {
  return automationDocument(documented, PLACES) as Document;
}

/** Runs the document against scripted responses of the controller: first to the request, then to each poll. */
function run(
  documented: DocumentedOrder,
  answers: (looks: number) => OperatorEventResult['state'],
): Promise<Execution> {
  let looks = -1;
  const invoke = (): Promise<OperatorEventResult> => {
    looks += 1;
    const state = answers(looks);
    return Promise.resolve({
      state,
      reason: 'arm is done, not refused',
      because: '',
      requestId: null,
      mark: `order:${state}`,
    });
  };
  return new AutomationModel(invoke, VALUES).run(documentOf(documented));
}

describe.each(DOCUMENTED)('Automation document of $order $stage', (documented) => {
  it('waits for the approval before any other step', () => {
    expect(documentOf(documented).mainSteps[0]).toMatchObject({
      action: 'aws:approve',
      onFailure: 'Abort',
      inputs: { MinRequiredApprovals: 1 },
    });
  });

  it('sends a request that the controller accepts once, even when it is repeated, and polls its result', async () => {
    const world = new MemoryWorld();
    const ports = world.ports();
    const asked: unknown[] = [];
    const model = new AutomationModel(async (event) => {
      asked.push(event);
      if (!isOperatorEvent(event)) throw new Error(`no order: ${JSON.stringify(event)}`);
      if ('ask' in event) {
        await runCycle(ports, { controller: 'c', policy: DEFAULT_POLICY });
        return pollResult(event.ask, ports, 0);
      }
      // The first response is lost, and Systems Manager sends the request again.
      const first = await accept(event, ports);
      expect(await accept(event, ports)).toMatchObject({ state: first.state, requestId: first.requestId });
      return first;
    }, VALUES);
    await model.run(documentOf(documented));
    expect(asked[0]).toMatchObject({ by: 'a.person', reason: 'a drill', requestId: 'execution-1' });
    expect(asked[1]).toEqual({ ask: 'execution-1' });
    const spoken = world.history.filter(({ kind }) => kind === 'operator');
    expect(spoken).toHaveLength(1);
  });

  it('succeeds when the request is done, after any number of polls', async () => {
    expect(await run(documented, (looks) => (looks < 3 ? 'under-way' : 'done'))).toMatchObject({ status: 'Success' });
  });

  it('fails when the controller refuses the request', async () => {
    const { status, steps } = await run(documented, () => 'refused');
    expect({ status, steps }).toEqual({ status: 'Failed', steps: ['Approve', 'Order', 'Taken', 'Refused'] });
  });

  it('fails when the operation ends with another outcome', async () => {
    expect(await run(documented, (looks) => (looks < 9 ? 'under-way' : 'refused'))).toMatchObject({ status: 'Failed' });
  });

  it('fails when the operation is in progress after the last poll', async () => {
    expect(await run(documented, () => 'under-way')).toMatchObject({ status: 'Failed' });
  });

  it('accepts no text that would end a JSON string or name a document variable', () => {
    const pattern = new RegExp(documentOf(documented).parameters.Reason?.allowedPattern ?? '');
    expect(pattern.test("the database's disk (100 %) is full, see https://wiki.example.com/x?y#z")).toBe(true);
    for (const bad of ['two\nlines', 'a "quotation"', 'back\\slash', '{{ By }}', 'tab\there', '', 'x'.repeat(201)]) {
      expect({ bad, taken: pattern.test(bad) }).toEqual({ bad, taken: false });
    }
  });
});

describe('document of a stage that may take hours', () => {
  const follow: DocumentedOrder = {
    order: 'failback',
    stage: 'follow',
    description: 'd',
    question: 'q',
    takes: 'hours',
  };

  it('polls for hours until the operation ends', async () => {
    const { status, sleptMinutes } = await run(follow, (looks) => (looks < 160 ? 'under-way' : 'done'));
    expect(status).toBe('Success');
    expect(sleptMinutes).toBeGreaterThan(9 * 60);
  });

  it('ends soon when the operation ends soon', async () => {
    expect(await run(follow, (looks) => (looks < 2 ? 'under-way' : 'done'))).toMatchObject({ sleptMinutes: 0 });
  });
});

describe('result of a request', () => {
  const ORDER = { order: 'failover', by: 'p', reason: 'r', requestId: 'mine' } as const;

  it('is found by its operation after later requests', async () => {
    const ports = new MemoryWorld().ports();
    const cycle = () => runCycle(ports, { controller: 'c', policy: DEFAULT_POLICY });
    await accept(ORDER, ports);
    await cycle();
    await accept({ ...ORDER, requestId: 'another' }, ports);
    await cycle();
    expect(await pollResult('another', ports, 0)).toMatchObject({ state: 'refused' });
    expect(await pollResult('mine', ports, 0)).toMatchObject({ state: 'under-way', mark: 'order:under-way' });
    expect(await accept(ORDER, ports)).toMatchObject({ state: 'under-way', requestId: 'mine' });
  });

  it('is neither done nor in progress when the request is unknown', async () => {
    expect(await pollResult('mine', new MemoryWorld().ports(), 0)).toMatchObject({ state: 'refused' });
  });
});
