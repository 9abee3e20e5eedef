import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import type { RegionContext } from '../config/region-context';

export interface AlarmSpec {
  /** The problem in a few words. It is the last part of the alarm's name. */
  readonly name: string;
  readonly metric: IMetric;
  readonly threshold: number;
  /** @default greater than the threshold */
  readonly when?: 'above' | 'below';
  readonly periods: number;
  /** How missing data is treated: as a breach for a heartbeat, as healthy for a failure count. */
  readonly silence: 'alarms' | 'is fine';
  /** Anchor of the section of docs/runbook.md that explains the alarm. */
  readonly runbook: string;
  /** What the alarm means, in one sentence. */
  readonly means: string;
}

/** Creates the alarms of one region. The description of each alarm links its runbook section. */
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
        alarmDescription: `${means} Runbook: ${config.runbookUrl}#${runbook}`,
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
