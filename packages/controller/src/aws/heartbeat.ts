import { CloudWatchClient, type MetricDatum, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { AWS_REGION_OF } from './resource-names';
import { sdkSettings } from './sdk';
import { CONTROLLER_METRICS, METRIC_NAMESPACE } from './telemetry-names';

/** Shorter than the one-minute period of the alarm. */
const EVERY_MS = 30_000;

/**
 * Publishes the controller's heartbeat metric in Oregon's CloudWatch. An alarm reads only its own region's metrics, and
 * when Virginia fails as a whole no alarm there fires. Errors of Oregon's CloudWatch are ignored. The method may be
 * called after every cycle: it limits its own rate.
 */
export function heartbeatInOregon(): () => Promise<void> {
  const client = new CloudWatchClient({ ...sdkSettings(AWS_REGION_OF.oregon), maxAttempts: 1 });
  const beat: MetricDatum = {
    MetricName: CONTROLLER_METRICS.cycle,
    Dimensions: [{ Name: 'service', Value: 'failover' }],
    Value: 1,
    Unit: 'Count',
  };
  let beatenAtMs = 0;
  return async () => {
    const nowMs = Date.now();
    if (nowMs - beatenAtMs < EVERY_MS) return;
    beatenAtMs = nowMs;
    const put = new PutMetricDataCommand({ Namespace: METRIC_NAMESPACE, MetricData: [beat] });
    await client.send(put).catch(() => undefined);
  };
}
