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
  description: 'Evergrant: fail over to Virginia by hand',
  question:
    'Moves authority from Oregon to Virginia, now, whether Oregon is well or not. If its database answers, nothing is lost. Coming back is a failback, stage by stage.',
  takes: 'minutes',
};

/** What each stage of a failback asks its approver; the runbook has the whole story, under coming-back. */
const STAGES: Readonly<Record<FailbackStage, Pick<DocumentedOrder, 'question' | 'takes'>>> = {
  'confirm-fence': { question: 'Confirms that Oregon is fenced. Customers notice nothing.', takes: 'minutes' },
  'archive-database': {
    question: "Renames Oregon's old database, so that it is kept for reconciliation. Its servers lose it.",
    takes: 'minutes',
  },
  follow: {
    question: "Makes a new database in Oregon that follows Virginia's. Customers notice nothing; it may take hours.",
    takes: 'hours',
  },
  switchover: {
    question: 'Virginia stops granting, Oregon takes over, nothing is lost. No new checkouts for some minutes.',
    takes: 'minutes',
  },
  'restore-follower': {
    question:
      "Renames Virginia's database and makes it anew as Oregon's follower. Customers notice nothing; it may take hours.",
    takes: 'hours',
  },
  arm: { question: 'From here on it fails over by itself again.', takes: 'minutes' },
};

/** The runbook's buttons: a document for the failover by hand, and one for each stage of a failback. */
export class OperatorDocuments extends Construct {
  constructor(scope: Construct, id: string, { context, controller, key }: OperatorDocumentsProps) {
    super(scope, id);
    const { config } = context;
    // Systems Manager sends approvals only to topics whose names begin like this.
    const topic = new Topic(this, 'Approvals', {
      topicName: `Automation-${config.deployment}`,
      displayName: 'Evergrant: approvals',
      enforceSSL: true,
      masterKey: key,
    });
    for (const email of config.alerts.emails) topic.addSubscription(new EmailSubscription(email));
    // Only for documents that this account runs: the service runs those of others too.
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
