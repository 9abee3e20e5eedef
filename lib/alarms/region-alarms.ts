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

/** The alarms that both regions have: each watches its own application and its own database, whichever role they play. */
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
      means: 'The load balancer finds no license server that lives.',
    });
    this.alarms.add({
      name: 'too few servers',
      metric: targets.metrics.healthyHostCount({ statistic: 'Minimum', period: MINUTE }),
      when: 'below',
      threshold: config.service.tasksMin,
      periods: 10,
      silence: 'is fine',
      runbook: 'too-few-servers',
      means: 'Fewer servers live than there should be.',
    });
    this.alarms.add({
      name: 'certificate expires',
      metric: certificate.metricDaysToExpiry({ period: Duration.days(1) }),
      when: 'below',
      threshold: 30,
      periods: 1,
      silence: 'is fine',
      runbook: 'certificate-expires',
      means: 'The TLS certificate was not renewed by itself.',
    });
    this.alarms.add({
      name: 'load balancer fails',
      metric: balancer.metrics.httpCodeElb(HttpCodeElb.ELB_5XX_COUNT, { statistic: 'Sum', period: FIVE_MINUTES }),
      threshold: 50,
      periods: 2,
      silence: 'is fine',
      runbook: 'failure-rate',
      means: 'The load balancer itself answers with failures.',
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
      means: 'One call in a hundred takes longer than promised.',
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
      means: 'Servers answer too many calls with failures.',
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
      means: 'RDS reports nothing of this database.',
    });
    add({
      ...common,
      name: 'database busy',
      metric: of('CPUUtilization', 'Average'),
      threshold: 80,
      periods: 15,
      runbook: 'database-busy',
      means: 'The database uses more than 80 % of its processors.',
    });
    add({
      ...common,
      name: 'disk fills',
      metric: of('FreeStorageSpace', 'Minimum'),
      when: 'below',
      threshold: 10 * GIB,
      runbook: 'disk-fills',
      means: 'The database has less than 10 GiB left.',
    });
    // A follower has the first and a primary the second; what is not there is silent. RDS counts the lag from the last commit
    // replayed, and an idle database is not idle: each server commits a beacon every few seconds.
    add({
      ...common,
      name: 'replica lag',
      metric: of('ReplicaLag', 'Maximum'),
      threshold: config.thresholds.replicaLagSeconds,
      periods: 10,
      runbook: 'replica-lag',
      means: 'The follower is behind its primary database.',
    });
    add({
      ...common,
      name: 'slot lag',
      metric: of('OldestReplicationSlotLag', 'Maximum'),
      threshold: config.thresholds.slotLagMiB * 1_048_576,
      runbook: 'slot-lag',
      means: 'The follower is away, and the primary keeps its log for it.',
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
      means: 'Many checkouts are refused: seats run out.',
    });
    add({
      name: 'unprotected grants',
      metric: this.metrics.unprotected(FIVE_MINUTES),
      threshold: 0,
      periods: 1,
      silence: 'is fine',
      runbook: 'granting-unprotected',
      means: 'Seats are granted that no follower has acknowledged.',
    });
    add({
      name: 'license expires',
      metric: this.metrics.licenseDaysLeft(Duration.hours(1)),
      when: 'below',
      threshold: 14,
      periods: 1,
      silence: 'is fine',
      runbook: 'license-expiring',
      means: 'A license file runs out within two weeks.',
    });
  }
}
