import { METRIC_NAMESPACE } from '@evergrant/controller/aws/telemetry-names';
import type { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { FilterPattern, type ILogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { RegionContext } from '../config/region-context';

/**
 * Metrics of the servers. Every minute a server logs the counts since the last entry as
 * `{"msg":"metrics","metrics":{"evergrant_denials_total":2,…}}`. Metric filters extract them.
 */
const FROM_LOG = {
  denials: { field: 'evergrant_denials_total', metricName: 'LeaseDenials' },
  grants: { field: 'evergrant_grants_total', metricName: 'LeaseGrants' },
  granting: { field: 'evergrant_granting', metricName: 'ServersGranting' },
  unprotected: { field: 'evergrant_unprotected', metricName: 'UnprotectedGrants' },
  followers: { field: 'evergrant_followers', metricName: 'Followers' },
  licenseDaysLeft: { field: 'evergrant_license_valid_days', metricName: 'LicenseDaysLeft' },
} as const;

export class ServerMetrics extends Construct {
  readonly #namespace: string;

  constructor(scope: Construct, id: string, { context, logGroup }: { context: RegionContext; logGroup: ILogGroup }) {
    super(scope, id);
    this.#namespace = `${METRIC_NAMESPACE}/${context.config.deployment}`;
    for (const { field, metricName } of Object.values(FROM_LOG)) {
      new MetricFilter(this, metricName, {
        logGroup,
        metricNamespace: this.#namespace,
        metricName,
        filterPattern: FilterPattern.exists(`$.metrics.${field}`),
        metricValue: `$.metrics.${field}`,
      });
    }
  }

  denials(period: Duration): Metric {
    return this.#metric('denials', 'Sum', period);
  }

  grants(period: Duration): Metric {
    return this.#metric('grants', 'Sum', period);
  }

  granting(period: Duration): Metric {
    return this.#metric('granting', 'Maximum', period);
  }

  unprotected(period: Duration): Metric {
    return this.#metric('unprotected', 'Maximum', period);
  }

  followers(period: Duration): Metric {
    return this.#metric('followers', 'Minimum', period);
  }

  licenseDaysLeft(period: Duration): Metric {
    return this.#metric('licenseDaysLeft', 'Minimum', period);
  }

  #metric(name: keyof typeof FROM_LOG, statistic: string, period: Duration): Metric {
    return new Metric({ namespace: this.#namespace, metricName: FROM_LOG[name].metricName, statistic, period });
  }
}
