import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import { HttpCodeTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import { controllerMetric } from '../alarms/controller-alarms';
import type { RegionAlarms } from '../alarms/region-alarms';
import type { RegionContext } from '../config/region-context';
import type { LoadBalancer } from '../service/load-balancer';

export interface RegionDashboardProps {
  readonly context: RegionContext;
  readonly alarms: RegionAlarms;
  readonly loadBalancer: LoadBalancer;
}

const MINUTE = Duration.minutes(1);

/** The dashboard of a region: granting, requests, database and alarms. */
export class RegionDashboard extends Construct {
  constructor(scope: Construct, id: string, { context, alarms, loadBalancer }: RegionDashboardProps) {
    super(scope, id);
    const { config, region, names, isPrimary } = context;
    const { targets, balancer } = loadBalancer;
    const rds = (metricName: string): Metric =>
      new Metric({
        namespace: 'AWS/RDS',
        metricName,
        period: MINUTE,
        dimensionsMap: { DBInstanceIdentifier: names.databases[region] },
      });
    const dashboard = new Dashboard(this, 'Dashboard', { dashboardName: `${config.deployment}-${region}` });
    dashboard.addWidgets(
      new TextWidget({
        width: 24,
        height: 2,
        markdown: `# ${region}\nOne region grants at a time. [Runbook](${config.runbookUrl})`,
      }),
      new AlarmStatusWidget({ width: 24, height: 4, alarms: alarms.alarms.all }),
      graph('Healthy servers and granting servers', [
        targets.metrics.healthyHostCount(),
        alarms.metrics.granting(MINUTE),
      ]),
      graph('Availability: share of minutes with a healthy server, percent', [
        new MathExpression({
          expression: 'IF(FILL(healthy, 0) > 0, 100, 0)',
          usingMetrics: { healthy: targets.metrics.healthyHostCount({ period: MINUTE }) },
          label: 'up',
          period: MINUTE,
        }),
      ]),
      graph('Grants and denials', [alarms.metrics.grants(MINUTE), alarms.metrics.denials(MINUTE)]),
      graph('Requests and 5xx responses', [
        balancer.metrics.requestCount(),
        targets.metrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT),
      ]),
      graph('Response times', [
        targets.metrics.targetResponseTime({ statistic: 'p50' }),
        targets.metrics.targetResponseTime({ statistic: 'p99' }),
      ]),
      graph('Database', [rds('CPUUtilization'), rds('DatabaseConnections')]),
      graph('Replication', [rds('ReplicaLag'), rds('OldestReplicationSlotLag')]),
      graph('Controller', [controllerMetric('cycle', 'Sum'), ...(isPrimary ? [] : watching())]),
    );
  }
}

function watching(): IMetric[] {
  return [
    controllerMetric('applicationDown', 'Sum'),
    controllerMetric('databaseDown', 'Sum'),
    controllerMetric('pendingFences', 'Maximum'),
  ];
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: 12, height: 6, period: MINUTE });
}
