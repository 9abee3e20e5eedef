import { CloudWatchClient, type MetricDatum, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { AWS_REGION_OF } from './resource-names';
import { sdkSettings } from './sdk';
import { CONTROLLER_METRICS, METRIC_NAMESPACE } from './telemetry-names';

/** Often enough for an alarm that looks at every minute. */
const EVERY_MS = 30_000;

/**
 * Tells Oregon's CloudWatch that the controller is there: an alarm can only look at its own region, and a Virginia
 * that is silent as a whole could not say so itself. That Oregon does not answer is no news here. May be called after every
 * cycle: it keeps its own pace.
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
