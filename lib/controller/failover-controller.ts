import type { FailoverVariable } from '@evergrant/controller/aws/environment';
import { CHECKER_REGIONS } from '@evergrant/controller/aws/health-check-witness';
import { AWS_REGION_OF, regionalName } from '@evergrant/controller/aws/resource-names';
import { SCHEDULE } from '@evergrant/controller/aws/schedule';
import { type CfnElement, Duration, Stack } from 'aws-cdk-lib';
import { SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
import { CfnHealthCheck } from 'aws-cdk-lib/aws-route53';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { acknowledge } from '../config/acknowledged';
import { grantJustified } from '../config/justified-wildcards';
import type { RegionContext } from '../config/region-context';
import type { DatabaseFoundation } from '../database/database-foundation';
import { followerSettings } from '../database/follower-settings';
import type { EdgeArns } from '../edge/association-actions';
import type { RegionNetwork } from '../network/region-network';
import type { RegionKeys } from '../secrets/region-keys';
import { bundledFunction } from '../setup/bundled-function';
import { CONTROLLER_WILDCARDS, controllerStatements } from './controller-policy';

export interface FailoverControllerProps {
  readonly context: RegionContext;
  readonly network: RegionNetwork;
  readonly foundation: DatabaseFoundation;
  readonly alerts: ITopic;
  readonly keys: RegionKeys;
  readonly edge: EdgeArns;
}

/**
 * The failover controller in the standby region: a Lambda function that a schedule starts every minute, and the witness
 * that it queries. A late start is not repeated, because its samples would be out of date.
 */
export class FailoverController extends Construct {
  readonly function: IFunction;
  readonly lateStarts: IQueue;
  readonly healthCheck: CfnHealthCheck;

  constructor(scope: Construct, id: string, props: FailoverControllerProps) {
    super(scope, id);
    const { context, network, foundation, keys } = props;
    this.healthCheck = witness(this, context);
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: network.vpc,
      description: 'the failover controller',
    });
    foundation.allowFrom(securityGroup, 'the failover controller');
    const handler = bundledFunction(this, 'Function', {
      source: 'lambda/failover/handler.ts',
      functionName: context.names.controller,
      config: context.config,
      logKey: keys.telemetry,
      description: 'Watches Oregon, and fails over to Virginia when it is confirmed dead',
      environment: this.#environment(props),
      vpc: network.vpc,
      vpcSubnets: { subnets: [...network.serverSubnets] },
      securityGroups: [securityGroup],
      memorySize: 1024,
      timeout: Duration.millis(SCHEDULE.invocationMsMax),
      // The conditional write is the lock. This limit protects the account's concurrency from a stuck schedule:
      // up to three late starts overlap during an operation, and an operator's request needs one more.
      reservedConcurrentExecutions: 4,
      retryAttempts: 0,
      maxEventAge: Duration.seconds(60),
    });
    this.#grant(handler, props);
    this.function = handler as IFunction;
    this.lateStarts = new Queue(this, 'LateStarts', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    }) as IQueue;
    acknowledge(handler, {
      CKV_AWS_116: 'Late starts go to the queue of the schedule. No other caller invokes the function asynchronously.',
      CKV_AWS_173: 'The variables are names and thresholds. Secrets are in Secrets Manager.',
    });
    acknowledge(this.lateStarts, {
      CKV_AWS_27: 'The queue is encrypted with the key of SQS.',
      'AwsSolutions-SQS3': 'The queue is itself the dead-letter queue of the schedule, and an alarm watches it.',
    });
    const schedulerRole = new Role(this, 'SchedulerRole', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com'),
    });
    acknowledge(schedulerRole, {
      [`AwsSolutions-IAM5[Resource::<${Stack.of(this).getLogicalId(handler.node.defaultChild as CfnElement)}.Arn>:*]`]:
        'The library grants all versions of this one function.',
    });
    new Schedule(this, 'EveryMinute', {
      scheduleName: context.names.controller,
      description: 'Starts the failover controller',
      schedule: ScheduleExpression.rate(Duration.millis(SCHEDULE.everyMs)),
      target: new LambdaInvoke(this.function, {
        retryAttempts: 0,
        maxEventAge: Duration.seconds(60),
        deadLetterQueue: this.lateStarts,
        role: schedulerRole,
      }),
    });
  }

  #grant(handler: NodejsFunction, { context, alerts, keys, edge }: FailoverControllerProps): void {
    const places = {
      alertTopicArn: alerts.topicArn,
      healthCheckId: this.healthCheck.attrHealthCheckId,
      databaseKeyArn: keys.database.keyArn,
      edge,
    };
    grantJustified(handler, controllerStatements(context, places), CONTROLLER_WILDCARDS);
    // Publishing to the encrypted topic needs its key.
    handler.addToRolePolicy(
      new PolicyStatement({
        sid: 'SpeakEncrypted',
        actions: ['kms:GenerateDataKey', 'kms:Decrypt'],
        resources: [keys.telemetry.keyArn],
      }),
    );
  }

  #environment({ context, alerts }: FailoverControllerProps): Record<FailoverVariable, string> {
    const { config, names } = context;
    const { domain } = config;
    return {
      EVERGRANT_CONTROLLER_NAME: names.controller,
      EVERGRANT_DEPLOYMENT: config.deployment,
      EVERGRANT_ACCOUNT: config.account,
      EVERGRANT_PUBLIC_NAME: domain.publicName,
      EVERGRANT_HOSTED_ZONE_ID: domain.hostedZoneId,
      EVERGRANT_HEALTH_CHECK_ID: this.healthCheck.attrHealthCheckId,
      EVERGRANT_ALERT_TOPIC_ARN: alerts.topicArn,
      EVERGRANT_RUNBOOK_URL: config.runbookUrl,
      EVERGRANT_FOLLOWER: JSON.stringify({
        oregon: followerSettings(config, names, 'oregon'),
        virginia: followerSettings(config, names, 'virginia'),
      }),
      EVERGRANT_POLICY: JSON.stringify(config.failover),
    };
  }
}

/**
 * Route 53 health checkers outside both regions probe Oregon. The health check is attached to no record, because Route 53 would
 * then fail back automatically.
 */
function witness(scope: Construct, { config }: RegionContext): CfnHealthCheck {
  return new CfnHealthCheck(scope, 'Witness', {
    healthCheckConfig: {
      type: 'HTTPS',
      fullyQualifiedDomainName: regionalName(config.domain.publicName, 'oregon'),
      port: 443,
      resourcePath: '/livez',
      requestInterval: 10,
      failureThreshold: 3,
      enableSni: true,
      regions: [...CHECKER_REGIONS],
    },
    healthCheckTags: [{ key: 'Name', value: `${config.deployment} witness of ${AWS_REGION_OF.oregon}` }],
  });
}
