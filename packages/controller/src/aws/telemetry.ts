import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { ControlRecord } from '../core/control-record';
import type { CycleOutcome } from '../cycle';
import { CONTROLLER_METRICS, METRIC_NAMESPACE } from './telemetry-names';

/** Logs the results of the cycles and publishes their metrics. */
export class Telemetry {
  readonly logger = new Logger({ serviceName: 'failover' });
  readonly #metrics = new Metrics({ namespace: METRIC_NAMESPACE, serviceName: 'failover' });

  readonly report = (outcome: CycleOutcome): void => {
    this.#count(CONTROLLER_METRICS.blind, outcome.kind === 'blind');
    switch (outcome.kind) {
      case 'watched':
        this.#heartbeat();
        this.#count(CONTROLLER_METRICS.applicationDown, outcome.verdict.kind === 'application_down');
        this.#count(CONTROLLER_METRICS.databaseDown, outcome.verdict.kind === 'database_down');
        this.#count(CONTROLLER_METRICS.standbyNotReady, outcome.verdict.kind === 'standby_not_ready');
        this.logger.info('watched', { verdict: outcome.verdict });
        break;
      case 'stepped': {
        this.#heartbeat();
        const { operation, passed, observed, effect } = outcome.step;
        const fields = { operationId: operation.id, operation: operation.kind, passed, observed, effect };
        if (outcome.failure === undefined) this.logger.info('stepped', fields);
        else
          this.logger.warn('an effect failed; the next cycle observes and retries', {
            ...fields,
            error: asError(outcome.failure),
          });
        break;
      }
      case 'conflict':
        this.logger.info('another controller wrote first');
        break;
      case 'blind':
        this.logger.error('blind: no decision is possible', { reason: outcome.reason });
    }
    // Published after every cycle: an invocation that is ended from outside loses nothing.
    this.publish();
  };

  /** Gauges of lasting states, read from the record once per invocation. */
  recordGauges({ automation, pendingFences, verdictState }: ControlRecord, nowMs: number): void {
    const unarmedMs = automation.state === 'armed' ? 0 : nowMs - automation.sinceMs;
    const holdingMs = verdictState?.verdict.kind === 'hold' ? nowMs - verdictState.sinceMs : 0;
    this.#metrics.addMetric(CONTROLLER_METRICS.pendingFences, MetricUnit.Count, pendingFences.length);
    this.#metrics.addMetric(CONTROLLER_METRICS.unarmedSeconds, MetricUnit.Seconds, unarmedMs / 1_000);
    this.#metrics.addMetric(CONTROLLER_METRICS.holdingSeconds, MetricUnit.Seconds, holdingMs / 1_000);
  }

  failed(error: unknown): void {
    this.#count(CONTROLLER_METRICS.failed, true);
    this.logger.error('the invocation failed', { error: asError(error) });
  }

  publish(): void {
    this.#metrics.publishStoredMetrics();
  }

  #heartbeat(): void {
    this.#count(CONTROLLER_METRICS.cycle, true);
  }

  #count(name: string, happened: boolean): void {
    this.#metrics.addMetric(name, MetricUnit.Count, happened ? 1 : 0);
  }
}

function asError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error(String(failure));
}
