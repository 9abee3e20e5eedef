import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import { type CycleOutcome, runCycle } from '@evergrant/controller/cycle';
import type { Ports } from '@evergrant/controller/ports';
import type { SimulationContext } from '../context';
import type { Host } from '../topology/host';
import { policyWithMutations, portsWithMutations } from './apply-mutations';
import { controllerPorts } from './controller-ports';

const STEP_EVERY_MS = 1_000;

/** The failover controller: repeats the product's own cycle over simulated ports. */
export class Controller {
  readonly host: Host;
  readonly #simulation: SimulationContext;
  readonly #ports: Ports;
  #lastText = '';

  constructor(host: Host, simulation: SimulationContext) {
    this.host = host;
    this.#simulation = simulation;
    this.#ports = portsWithMutations(controllerPorts(host, simulation), simulation.disabled, simulation.authorityStore);
    void this.#run();
  }

  start(): void {
    this.host.start();
    void this.#run();
  }

  async #run(): Promise<void> {
    const policy = policyWithMutations(DEFAULT_POLICY, this.#simulation.disabled);
    for (;;) {
      const outcome = await runCycle(this.#ports, { controller: this.host.name, policy });
      this.#record(outcome);
      const soon = outcome.kind === 'conflict' || ('operating' in outcome && outcome.operating);
      await this.host.wait(soon ? STEP_EVERY_MS * (1 + this.#simulation.random.next() / 2) : policy.sampleEveryMs);
    }
  }

  #record(outcome: CycleOutcome): void {
    const text = textOf(outcome);
    if (text === this.#lastText) return;
    this.#lastText = text;
    this.#simulation.record(this.host.name, text);
  }
}

function textOf(outcome: CycleOutcome): string {
  switch (outcome.kind) {
    case 'watched':
      return `sees ${outcome.verdict.kind}`;
    case 'stepped': {
      const { step, failure } = outcome;
      const passed = step.passed.length > 0 ? `${step.passed.join(', ')}; ` : '';
      const failed = failure instanceof Error ? ` (failed: ${failure.message})` : '';
      return `${step.operation.kind}: ${passed}${step.observed} → ${step.effect}${failed}`;
    }
    case 'conflict':
      return 'was slower than another controller';
    case 'blind':
      return `is blind: ${outcome.reason}`;
  }
}
