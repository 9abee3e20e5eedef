import { CONTROLLER_METRICS, METRIC_NAMESPACE } from '@evergrant/controller/aws/telemetry-names';
import { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { RegionContext } from '../config/region-context';
import { RunbookAlarms } from './runbook-alarm';

const MINUTE = Duration.minutes(1);

/** One of the controller's numbers, as seen in the region it stands in. */
export function controllerMetric(name: keyof typeof CONTROLLER_METRICS, statistic: string, period = MINUTE): Metric {
  return new Metric({
    namespace: METRIC_NAMESPACE,
    metricName: CONTROLLER_METRICS[name],
    dimensionsMap: { service: 'failover' },
    statistic,
    period,
  });
}

/** Who watches the watcher, in its own region. */
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
      means: 'Nobody watches: no cycle of the failover controller has ended for three minutes.',
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
      means: 'For long, nothing would fail over by itself.',
    });
    add({
      name: 'holding for long',
      metric: controllerMetric('holdingSeconds', 'Maximum'),
      threshold: 600,
      periods: 1,
      silence: 'is fine',
      runbook: 'hold',
      means: 'The controller cannot tell what is down.',
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
 * Who watches the watcher from Oregon, should Virginia be silent as a whole: the controller tells Oregon's CloudWatch,
 * too, that it is there.
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
      means: 'Nobody watches: no cycle of the failover controller in Virginia has been seen for five minutes.',
    });
  }
}
