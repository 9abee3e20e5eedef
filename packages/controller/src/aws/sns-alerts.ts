import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import { runbookSection } from '@evergrant/core/runbook-section';
import type { Alert } from '../core/alerts';
import type { AlertPort } from '../ports';
import { awsCall } from './sdk';

export interface SnsAlertsOptions {
  readonly client: SNSClient;
  readonly topicArn: string;
  /** The deployment that raised the alert: one subscriber may receive alerts of several deployments. */
  readonly deployment: string;
  /** The page with docs/runbook.md. Its headings are the anchors. */
  readonly runbookUrl: string;
}

/** SNS limits e-mail subjects to 100 characters and rejects line breaks in them. */
const SUBJECT_MAX = 100;

/** Sends alerts to an SNS topic, and so to its subscribers. */
export class SnsAlerts implements AlertPort {
  readonly #options: SnsAlertsOptions;

  constructor(options: SnsAlertsOptions) {
    this.#options = options;
  }

  async send({ id, code, severity, text, raisedAtMs }: Alert): Promise<void> {
    const { client, topicArn, deployment, runbookUrl } = this.#options;
    const subject = `[${deployment}] ${severity}: ${code}`.slice(0, SUBJECT_MAX);
    const message = [
      text,
      '',
      `What to do: ${runbookUrl}#${runbookSection(code)}`,
      `Deployment ${deployment}, alert ${code}, ${new Date(raisedAtMs).toISOString()}`,
      id,
    ];
    const publish = new PublishCommand({
      TopicArn: topicArn,
      Subject: subject,
      Message: message.join('\n'),
      MessageAttributes: {
        code: { DataType: 'String', StringValue: code },
        severity: { DataType: 'String', StringValue: severity },
        deployment: { DataType: 'String', StringValue: deployment },
        alertId: { DataType: 'String', StringValue: id },
      },
    });
    await awsCall('the alert', client.send(publish));
  }
}
