import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import type { RegionContext } from '../config/region-context';

/** The topic of a region's alarms. In Virginia the controller publishes its alerts to the same topic. */
export class AlertsTopic extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, { context, key }: { context: RegionContext; key: IKey }) {
    super(scope, id);
    const { config, region } = context;
    this.topic = new Topic(this, 'Topic', {
      topicName: `${config.deployment}-alerts`,
      displayName: `Evergrant, ${region}`,
      masterKey: key,
      enforceSSL: true,
    });
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsSpeak',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': config.account } },
      }),
    );
    for (const email of config.alerts.emails) this.topic.addSubscription(new EmailSubscription(email));
  }
}
