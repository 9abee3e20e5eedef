import type { OperatorEventResult } from '@evergrant/controller/aws/operator-events';

export interface Step {
  readonly name: string;
  readonly action: string;
  readonly onFailure?: string;
  readonly isEnd?: boolean;
  readonly maxAttempts?: number;
  readonly inputs: {
    readonly InputPayload?: Readonly<Record<string, string>>;
    readonly Duration?: string;
    readonly Steps?: readonly Step[];
    readonly LoopCondition?: Condition;
    readonly MaxIterations?: number;
    readonly Choices?: readonly (Condition & { readonly NextStep: string })[];
    readonly Default?: string;
  };
}

export interface Document {
  readonly parameters: Readonly<Record<string, { readonly allowedPattern?: string }>>;
  readonly mainSteps: readonly Step[];
}

interface Condition {
  readonly Variable: string;
  readonly Contains: string;
}

/** The outcome of an execution, its steps (including those of loops) and its sleep time in minutes. */
export interface Execution {
  readonly status: 'Success' | 'Failed';
  readonly steps: readonly string[];
  readonly sleptMinutes: number;
}

type Invoke = (event: Readonly<Record<string, string>>) => Promise<OperatorEventResult>;

/**
 * Our model of Systems Manager Automation (user guide, Automation actions reference): steps run in order unless a branch
 * names another step. A loop ends without a failure when its condition is false or after MaxIterations. A script step
 * fails, as all of ours do. A step that reads an undefined variable is an error.
 */
export class AutomationModel {
  readonly #values: Map<string, string>;
  readonly #invoke: Invoke;
  readonly #steps: string[] = [];
  #sleptMinutes = 0;

  constructor(invoke: Invoke, values: Readonly<Record<string, string>>) {
    this.#invoke = invoke;
    this.#values = new Map(Object.entries(values));
  }

  async run({ mainSteps }: Document): Promise<Execution> {
    for (let index = 0; index < mainSteps.length; ) {
      const step = mainSteps[index]!;
      const next = await this.#perform(step);
      if (step.action === 'aws:executeScript') return this.#ended('Failed');
      if (step.isEnd) break;
      index = next === null ? index + 1 : mainSteps.findIndex(({ name }) => name === next);
      if (index < 0) throw new Error(`${step.name} leads to ${next}, which is not there`);
    }
    return this.#ended('Success');
  }

  /** Returns the step of the branch, or null for the next step. */
  async #perform(step: Step): Promise<string | null> {
    this.#steps.push(step.name);
    const { inputs } = step;
    switch (step.action) {
      case 'aws:invokeLambdaFunction': {
        const event = Object.entries(inputs.InputPayload ?? {}).map(([key, value]) => [key, this.#resolved(value)]);
        this.#values.set(`${step.name}.Payload`, JSON.stringify(await this.#invoke(Object.fromEntries(event))));
        return null;
      }
      case 'aws:sleep':
        this.#sleptMinutes += Number(/^PT(\d+)M$/.exec(inputs.Duration ?? '')?.[1] ?? 0);
        return null;
      case 'aws:branch':
        return inputs.Choices?.find((choice) => this.#holds(choice))?.NextStep ?? inputs.Default ?? null;
      case 'aws:loop':
        await this.#loop(inputs);
        return null;
      case 'aws:executeScript':
        for (const value of Object.values(inputs.InputPayload ?? {})) this.#resolved(value);
        return null;
      case 'aws:approve':
        return null;
      default:
        throw new Error(`${step.name}: ${step.action} is not modelled`);
    }
  }

  async #loop({ Steps: steps = [], LoopCondition: condition, MaxIterations: most = 0 }: Step['inputs']): Promise<void> {
    if (condition === undefined || most < 1 || most > 100) throw new Error('a loop goes round 1 to 100 times');
    for (let round = 1; round <= most; round += 1) {
      for (const step of steps) await this.#perform(step);
      if (!this.#holds(condition)) return;
    }
  }

  #holds({ Variable: variable, Contains: part }: Condition): boolean {
    return this.#resolved(variable).includes(part);
  }

  #resolved(text: string): string {
    return text.replace(/\{\{ ([\w.:]+) \}\}/g, (_all, name: string) => {
      const value = this.#values.get(name);
      if (value === undefined) throw new Error(`${name} is undefined`);
      return value;
    });
  }

  #ended(status: Execution['status']): Execution {
    return { status, steps: this.#steps, sleptMinutes: this.#sleptMinutes };
  }
}
