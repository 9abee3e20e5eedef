import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { HttpCodeElb, HttpCodeTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { RegionContext } from '../config/region-context';
import type { LicenseService } from '../service/license-service';
import type { LoadBalancer } from '../service/load-balancer';
import { RunbookAlarms } from './runbook-alarm';
import { ServerMetrics } from './server-metrics';

export interface RegionAlarmsProps {
  readonly context: RegionContext;
  readonly topic: ITopic;
  readonly loadBalancer: LoadBalancer;
  readonly service: LicenseService;
}

const MINUTE = Duration.minutes(1);
const FIVE_MINUTES = Duration.minutes(5);
const GIB = 1_073_741_824;

/** The alarms that both regions have. Each region watches its own application and database, in either role. */
export class RegionAlarms extends Construct {
  readonly alarms: RunbookAlarms;
  readonly metrics: ServerMetrics;

  constructor(scope: Construct, id: string, { context, topic, loadBalancer, service }: RegionAlarmsProps) {
    super(scope, id);
    this.alarms = new RunbookAlarms(this, context, topic);
    this.metrics = new ServerMetrics(this, 'ServerMetrics', { context, logGroup: service.logGroup });
    this.#application(context, loadBalancer);
    this.#calls(context, loadBalancer);
    this.#database(context);
    this.#licenses(context);
  }

  #application({ config }: RegionContext, { targets, balancer, certificate }: LoadBalancer): void {
    this.alarms.add({
      name: 'no server lives',
      metric: targets.metrics.healthyHostCount({ statistic: 'Minimum', period: MINUTE }),
      when: 'below',
      threshold: 1,
      periods: 2,
      silence: 'alarms',
      runbook: 'application-down',
      means: 'No license server passes the health check of the load balancer.',
    });
    this.alarms.add({
      name: 'too few servers',
      metric: targets.metrics.healthyHostCount({ statistic: 'Minimum', period: MINUTE }),
      when: 'below',
      threshold: config.service.tasksMin,
      periods: 10,
      silence: 'is fine',
      runbook: 'too-few-servers',
      means: 'Fewer license servers are healthy than the configured minimum.',
    });
    this.alarms.add({
      name: 'certificate expires',
      metric: certificate.metricDaysToExpiry({ period: Duration.days(1) }),
      when: 'below',
      threshold: 30,
      periods: 1,
      silence: 'is fine',
      runbook: 'certificate-expires',
      means: 'The automatic renewal of the TLS certificate is overdue.',
    });
    this.alarms.add({
      name: 'load balancer fails',
      metric: balancer.metrics.httpCodeElb(HttpCodeElb.ELB_5XX_COUNT, { statistic: 'Sum', period: FIVE_MINUTES }),
      threshold: 50,
      periods: 2,
      silence: 'is fine',
      runbook: 'failure-rate',
      means: 'The load balancer itself returns 5xx responses.',
    });
  }

  #calls({ config }: RegionContext, { targets, balancer }: LoadBalancer): void {
    this.alarms.add({
      name: 'slow responses',
      metric: targets.metrics.targetResponseTime({ statistic: 'p99', period: FIVE_MINUTES }),
      threshold: config.thresholds.responseSeconds,
      periods: 3,
      silence: 'is fine',
      runbook: 'slow-responses',
      means: 'The 99th percentile of the response time is above the configured limit.',
    });
    this.alarms.add({
      name: 'failure rate',
      metric: new MathExpression({
        expression: 'IF(calls > 100, 100 * failures / calls, 0)',
        label: 'failed calls, in percent',
        period: FIVE_MINUTES,
        usingMetrics: {
          failures: targets.metrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT, { statistic: 'Sum' }),
          calls: balancer.metrics.requestCount({ statistic: 'Sum' }),
        },
      }),
      threshold: config.thresholds.failureRatePercent,
      periods: 2,
      silence: 'is fine',
      runbook: 'failure-rate',
      means: 'The servers return too many 5xx responses.',
    });
  }

  #database({ names, region, config }: RegionContext): void {
    const of = (metricName: string, statistic: string): Metric =>
      new Metric({
        namespace: 'AWS/RDS',
        metricName,
        statistic,
        period: MINUTE,
        dimensionsMap: { DBInstanceIdentifier: names.databases[region] },
      });
    const add = this.alarms.add.bind(this.alarms);
    const common = { silence: 'is fine', periods: 5 } as const;
    add({
      ...common,
      name: 'database silent',
      metric: of('DatabaseConnections', 'SampleCount'),
      when: 'below',
      threshold: 1,
      silence: 'alarms',
      runbook: 'database-down',
      means: 'RDS publishes no metrics for this database.',
    });
    add({
      ...common,
      name: 'database busy',
      metric: of('CPUUtilization', 'Average'),
      threshold: 80,
      periods: 15,
      runbook: 'database-busy',
      means: 'The CPU utilization of the database is above 80 %.',
    });
    add({
      ...common,
      name: 'disk fills',
      metric: of('FreeStorageSpace', 'Minimum'),
      when: 'below',
      threshold: 10 * GIB,
      runbook: 'disk-fills',
      means: 'The free storage of the database is below 10 GiB.',
    });
    // A follower publishes the first metric and a primary database the second. RDS measures the lag from the last replayed
    // commit. An idle database still commits, because each server commits a beacon every few seconds.
    add({
      ...common,
      name: 'replica lag',
      metric: of('ReplicaLag', 'Maximum'),
      threshold: config.thresholds.replicaLagSeconds,
      periods: 10,
      runbook: 'replica-lag',
      means: 'The follower lags behind its primary database.',
    });
    add({
      ...common,
      name: 'slot lag',
      metric: of('OldestReplicationSlotLag', 'Maximum'),
      threshold: config.thresholds.slotLagMiB * 1_048_576,
      runbook: 'slot-lag',
      means: 'The follower is disconnected, and the primary database retains WAL for its slot.',
    });
  }

  #licenses({ config }: RegionContext): void {
    const add = this.alarms.add.bind(this.alarms);
    add({
      name: 'lease denials',
      metric: this.metrics.denials(FIVE_MINUTES),
      threshold: config.thresholds.denialsPerFiveMinutes,
      periods: 2,
      silence: 'is fine',
      runbook: 'lease-denials',
      means: 'Many checkouts are denied because no seats are free.',
    });
    add({
      name: 'unprotected grants',
      metric: this.metrics.unprotected(FIVE_MINUTES),
      threshold: 0,
      periods: 1,
      silence: 'is fine',
      runbook: 'granting-unprotected',
      means: 'Servers grant seats without an acknowledgement of the follower.',
    });
    add({
      name: 'several followers',
      metric: this.metrics.followers(FIVE_MINUTES),
      threshold: 1,
      periods: 1,
      silence: 'is fine',
      runbook: 'several-followers',
      means: 'More than one database may be the follower, so no acknowledgement counts.',
    });
    add({
      name: 'license expires',
      metric: this.metrics.licenseDaysLeft(Duration.hours(1)),
      when: 'below',
      threshold: 14,
      periods: 1,
      silence: 'is fine',
      runbook: 'license-expiring',
      means: 'A license file expires within 14 days.',
    });
  }
}
