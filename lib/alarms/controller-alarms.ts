import { CONTROLLER_METRICS, METRIC_NAMESPACE } from '@evergrant/controller/aws/telemetry-names';
import { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { RegionContext } from '../config/region-context';
import { RunbookAlarms } from './runbook-alarm';

const MINUTE = Duration.minutes(1);

/** A metric of the controller, in the region of the stack. */
export function controllerMetric(name: keyof typeof CONTROLLER_METRICS, statistic: string, period = MINUTE): Metric {
  return new Metric({
    namespace: METRIC_NAMESPACE,
    metricName: CONTROLLER_METRICS[name],
    dimensionsMap: { service: 'failover' },
    statistic,
    period,
  });
}

/** Alarms on the controller in its own region. */
export class ControllerAlarms extends Construct {
  readonly alarms: RunbookAlarms;

  constructor(
    scope: Construct,
    id: string,
    { context, topic, lateStarts }: { context: RegionContext; topic: ITopic; lateStarts: IQueue },
  ) {
    super(scope, id);
    this.alarms = new RunbookAlarms(this, context, topic);
    const add = this.alarms.add.bind(this.alarms);
    add({
      name: 'controller heartbeat missing',
      metric: controllerMetric('cycle', 'Sum'),
      when: 'below',
      threshold: 1,
      periods: 3,
      silence: 'alarms',
      runbook: 'controller-silent',
      means: 'No cycle of the failover controller has completed for three minutes, so no failure would be detected.',
    });
    add({
      name: 'controller blind',
      metric: controllerMetric('blind', 'Sum'),
      threshold: 0,
      periods: 3,
      silence: 'is fine',
      runbook: 'controller-blind',
      means: 'The controller cannot read the authority table.',
    });
    add({
      name: 'controller failed',
      metric: controllerMetric('failed', 'Sum'),
      threshold: 0,
      periods: 1,
      silence: 'is fine',
      runbook: 'controller-silent',
      means: 'An invocation of the controller failed.',
    });
    add({
      name: 'pending fence open',
      metric: controllerMetric('pendingFences', 'Maximum'),
      threshold: 0,
      periods: 5,
      silence: 'is fine',
      runbook: 'pending-fence',
      means: 'A region that lost authority could not be fenced yet.',
    });
    add({
      name: 'automation not armed',
      metric: controllerMetric('unarmedSeconds', 'Maximum'),
      threshold: context.config.thresholds.unarmedSeconds,
      periods: 1,
      silence: 'is fine',
      runbook: 'automation-unarmed',
      means: 'The automation has been disarmed for a long time, so no automatic failover would start.',
    });
    add({
      name: 'holding for long',
      metric: controllerMetric('holdingSeconds', 'Maximum'),
      threshold: 600,
      periods: 1,
      silence: 'is fine',
      runbook: 'hold',
      means: 'The controller holds because at least one observation has been unknown for a long time.',
    });
    add({
      name: 'late starts',
      metric: lateStarts.metricApproximateNumberOfMessagesVisible({ period: MINUTE }),
      threshold: 0,
      periods: 1,
      silence: 'is fine',
      runbook: 'controller-silent',
      means: 'The schedule could not start the controller.',
    });
  }
}

/**
 * The alarm on the controller's heartbeat in Oregon, for the loss of all of Virginia. The controller publishes its
 * heartbeat to CloudWatch in both regions.
 */
export class WatcherAlarm extends Construct {
  readonly alarms: RunbookAlarms;

  constructor(scope: Construct, id: string, { context, topic }: { context: RegionContext; topic: ITopic }) {
    super(scope, id);
    this.alarms = new RunbookAlarms(this, context, topic);
    this.alarms.add({
      name: 'controller heartbeat missing, seen from here',
      metric: controllerMetric('cycle', 'Sum'),
      when: 'below',
      threshold: 1,
      periods: 5,
      silence: 'alarms',
      runbook: 'controller-silent',
      means: 'Oregon has received no heartbeat of the failover controller in Virginia for five minutes.',
    });
  }
}
