import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import type { Alert } from '../core/alerts';
import type { AlertPort } from '../ports';
import { awsCall } from './sdk';

export interface SnsAlertsOptions {
  readonly client: SNSClient;
  readonly topicArn: string;
  /** Where people find the runbook; the alert's code is looked up there. */
  readonly runbookUrl: string;
}

/** SNS cuts e-mail subjects at 100 characters and takes no line breaks in them. */
const SUBJECT_MAX = 100;

/** Tells people, by the topic that they subscribe to. */
export class SnsAlerts implements AlertPort {
  readonly #options: SnsAlertsOptions;

  constructor(options: SnsAlertsOptions) {
    this.#options = options;
  }

  async send({ id, code, severity, text, raisedAtMs }: Alert): Promise<void> {
    const { client, topicArn, runbookUrl } = this.#options;
    const subject = `Evergrant ${severity}: ${code}`.slice(0, SUBJECT_MAX);
    const message = [text, '', `What to do: ${runbookUrl} (alert ${code})`, new Date(raisedAtMs).toISOString(), id];
    const publish = new PublishCommand({
      TopicArn: topicArn,
      Subject: subject,
      Message: message.join('\n'),
      MessageAttributes: {
        code: { DataType: 'String', StringValue: code },
        severity: { DataType: 'String', StringValue: severity },
        alertId: { DataType: 'String', StringValue: id },
      },
    });
    await awsCall('the alert', client.send(publish));
  }
}
