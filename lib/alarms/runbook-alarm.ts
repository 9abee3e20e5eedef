import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import type { RegionContext } from '../config/region-context';

export interface AlarmSpec {
  /** What is wrong, in a few words; the alarm's name ends in it. */
  readonly name: string;
  readonly metric: IMetric;
  readonly threshold: number;
  /** @default greater than the threshold */
  readonly when?: 'above' | 'below';
  readonly periods: number;
  /** Silence is bad news for a heartbeat, and none for a failure count. */
  readonly silence: 'alarms' | 'is fine';
  /** The section of docs/runbook.md that says what to do. */
  readonly runbook: string;
  readonly means: string;
}

/** Makes the alarms of one region; each says where the runbook says what to do. */
export class RunbookAlarms {
  readonly #scope: Construct;
  readonly #context: RegionContext;
  readonly #topic: ITopic;
  readonly all: Alarm[] = [];

  constructor(scope: Construct, context: RegionContext, topic: ITopic) {
    this.#scope = scope;
    this.#context = context;
    this.#topic = topic;
  }

  add({ name, metric, threshold, when = 'above', periods, silence, runbook, means }: AlarmSpec): void {
    const { config, region } = this.#context;
    const alarm = new Alarm(
      this.#scope,
      name.replace(/(^|[- ])(\w)/g, (_match, _gap, letter: string) => letter.toUpperCase()),
      {
        alarmName: `${config.deployment} ${region}: ${name}`,
        alarmDescription: `${means} What to do: ${config.runbookUrl}#${runbook}`,
        metric,
        threshold,
        comparisonOperator:
          when === 'above' ? ComparisonOperator.GREATER_THAN_THRESHOLD : ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluationPeriods: periods,
        treatMissingData: silence === 'alarms' ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
      },
    );
    const action = new SnsAction(this.#topic);
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
    this.all.push(alarm);
  }
}
