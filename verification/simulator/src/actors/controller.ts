import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import { type CycleOutcome, runCycle } from '@evergrant/controller/cycle';
import type { Ports } from '@evergrant/controller/ports';
import type { Host } from '../topology/host';
import type { World } from '../world';
import { policyWithout, portsWithout } from './apply-mutations';
import { controllerPorts } from './controller-ports';

const STEP_EVERY_MS = 1_000;

/** The failover controller: the product's own cycle, again and again, over simulated ports. */
export class Controller {
  readonly host: Host;
  readonly #world: World;
  readonly #ports: Ports;
  #told = '';

  constructor(host: Host, world: World) {
    this.host = host;
    this.#world = world;
    this.#ports = portsWithout(controllerPorts(host, world), world.without, world.ohio);
    void this.#run();
  }

  start(): void {
    this.host.start();
    void this.#run();
  }

  async #run(): Promise<void> {
    const policy = policyWithout(DEFAULT_POLICY, this.#world.without);
    for (;;) {
      const outcome = await runCycle(this.#ports, { controller: this.host.name, policy });
      this.#tell(outcome);
      const soon = outcome.kind === 'conflict' || ('operating' in outcome && outcome.operating);
      await this.host.wait(soon ? STEP_EVERY_MS * (1 + this.#world.random.next() / 2) : policy.sampleEveryMs);
    }
  }

  #tell(outcome: CycleOutcome): void {
    const text = textOf(outcome);
    if (text === this.#told) return;
    this.#told = text;
    this.#world.tell(this.host.name, text);
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
      return `${step.operation.kind}: ${passed}${step.observed} → ${step.act}${failed}`;
    }
    case 'conflict':
      return 'was slower than another controller';
    case 'blind':
      return `is blind: ${outcome.reason}`;
  }
}
