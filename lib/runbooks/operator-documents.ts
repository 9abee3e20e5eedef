import { FAILBACK_STAGES, type FailbackStage } from '@evergrant/controller/core/operations';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { CfnDocument } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import type { RegionContext } from '../config/region-context';
import { automationDocument, type DocumentedOrder, type DocumentPlaces } from './automation-document';

export interface OperatorDocumentsProps {
  readonly context: RegionContext;
  readonly controller: IFunction;
  readonly key: IKey;
}

const FAILOVER: DocumentedOrder = {
  order: 'failover',
  description: 'Evergrant: manual failover to Virginia',
  question:
    'Moves authority from Oregon to Virginia now, even when Oregon is healthy. Nothing is lost if its database responds. The way back is a failback in stages.',
  takes: 'minutes',
};

/** The question of each failback stage to its approver. The runbook describes the stages. */
const STAGES: Readonly<Record<FailbackStage, Pick<DocumentedOrder, 'question' | 'takes'>>> = {
  'confirm-fence': { question: 'Confirms that Oregon is fenced. Customers are not affected.', takes: 'minutes' },
  'archive-database': {
    question: "Renames Oregon's old database and keeps it for reconciliation. Oregon's servers lose their database.",
    takes: 'minutes',
  },
  follow: {
    question:
      "Creates a new database in Oregon that follows Virginia's. Customers are not affected. It may take hours.",
    takes: 'hours',
  },
  switchover: {
    question:
      'Virginia stops granting, Oregon takes over, and nothing is lost. New checkouts are refused for some minutes.',
    takes: 'minutes',
  },
  'restore-follower': {
    question:
      "Renames Virginia's database and creates a new one as Oregon's follower. Customers are not affected. It may take hours.",
    takes: 'hours',
  },
  arm: { question: 'Arms the automation: the controller may fail over automatically again.', takes: 'minutes' },
};

/** The Systems Manager documents of the runbook: one for the manual failover and one for each failback stage. */
export class OperatorDocuments extends Construct {
  constructor(scope: Construct, id: string, { context, controller, key }: OperatorDocumentsProps) {
    super(scope, id);
    const { config } = context;
    // Systems Manager sends approvals only to topics with this prefix.
    const topic = new Topic(this, 'Approvals', {
      topicName: `Automation-${config.deployment}`,
      displayName: 'Evergrant: approvals',
      enforceSSL: true,
      masterKey: key,
    });
    for (const email of config.alerts.emails) topic.addSubscription(new EmailSubscription(email));
    // Only for executions in this account, because the service principal acts for every account.
    const conditions = { StringEquals: { 'aws:SourceAccount': config.account } };
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('ssm.amazonaws.com', { conditions }) });
    role.addToPolicy(
      new PolicyStatement({ sid: 'Order', actions: ['lambda:InvokeFunction'], resources: [controller.functionArn] }),
    );
    role.addToPolicy(new PolicyStatement({ sid: 'AskPeople', actions: ['sns:Publish'], resources: [topic.topicArn] }));
    role.addToPolicy(
      new PolicyStatement({
        sid: 'SpeakEncrypted',
        actions: ['kms:GenerateDataKey', 'kms:Decrypt'],
        resources: [key.keyArn],
      }),
    );
    const places: DocumentPlaces = {
      functionName: context.names.controller,
      roleArn: role.roleArn,
      approvalsTopicArn: topic.topicArn,
    };
    this.#document(`${config.deployment}-failover`, FAILOVER, places);
    for (const stage of FAILBACK_STAGES) {
      const documented: DocumentedOrder = {
        ...STAGES[stage],
        order: 'failback',
        stage,
        description: `Evergrant: failback, stage ${stage}`,
      };
      this.#document(`${config.deployment}-failback-${stage}`, documented, places);
    }
  }

  #document(name: string, documented: DocumentedOrder, places: DocumentPlaces): void {
    new CfnDocument(this, name, {
      name,
      documentType: 'Automation',
      documentFormat: 'JSON',
      updateMethod: 'NewVersion',
      content: automationDocument(documented, places),
    });
  }
}
