import type { PublishCommandInput, SNSClient } from '@aws-sdk/client-sns';
import { SnsAlerts } from '../src/aws/sns-alerts';
import type { Alert } from '../src/core/alerts';

async function sent(alert: Partial<Alert>, deployment = 'acme-prod'): Promise<PublishCommandInput> {
  const inputs: PublishCommandInput[] = [];
  const send = async (command: { readonly input: PublishCommandInput }): Promise<void> => {
    inputs.push(command.input);
  };
  const client = { send } as unknown as SNSClient;
  const alerts = new SnsAlerts({
    client,
    topicArn: 'topic',
    deployment,
    runbookUrl: 'https://wiki.example.com/runbook',
  });
  const whole: Alert = { id: 'id-1', code: 'withheld', severity: 'critical', text: 'It is down.', raisedAtMs: 0 };
  await alerts.send({ ...whole, ...alert });
  const [input] = inputs;
  if (input === undefined) throw new Error('nothing was sent');
  return input;
}

describe('alert by e-mail', () => {
  it.each([
    ['withheld', 'withheld'],
    ['failover-done', 'failover-done'],
    ['failover-started', 'operation-started-or-ended'],
    ['standby-both-down', 'standby-down'],
    ['pending-fence-applied', 'fence-applied'],
  ])('%s links to the runbook’s section %s', async (code, section) => {
    const lines = String((await sent({ code })).Message).split('\n');
    expect(lines).toContain(`What to do: https://wiki.example.com/runbook#${section}`);
  });

  it('names its deployment in the subject, in the text and in a filter attribute', async () => {
    const { Subject, Message, MessageAttributes } = await sent({});
    expect(Subject).toBe('[acme-prod] critical: withheld');
    expect(Message).toContain('Deployment acme-prod, alert withheld, 1970-01-01T00:00:00.000Z');
    expect(MessageAttributes?.deployment).toEqual({ DataType: 'String', StringValue: 'acme-prod' });
  });

  it('has a subject that SNS accepts, however long the deployment’s name', async () => {
    expect((await sent({}, 'a'.repeat(120))).Subject).toHaveLength(100);
  });
});
