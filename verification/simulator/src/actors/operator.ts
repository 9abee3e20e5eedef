import { FAILBACK_STAGES } from '@evergrant/controller/core/operations';
import type { Command } from '@evergrant/controller/core/requests';
import { arm, pause, request } from '@evergrant/controller/operator-commands';
import type { Host } from '../topology/host';
import type { World } from '../world';

const LOOK_EVERY_MS = 3_000;
const STAGE_MS_MAX = 240_000;
const WHY = { by: 'operator', reason: 'simulated' };

export type Order = 'pause' | 'arm' | 'failover' | 'abort' | 'failback';

/** A human at the runbook. What is asked for is written in one moment: a human repeats what met a conflict. */
export class HumanOperator {
  readonly #host: Host;
  readonly #world: World;

  constructor(host: Host, world: World) {
    this.#host = host;
    this.#world = world;
  }

  async order(order: Order): Promise<void> {
    this.#world.tell('operator', order);
    switch (order) {
      case 'pause':
        await pause(this.#ports(), WHY);
        return;
      case 'arm':
        await arm(this.#ports(), WHY);
        return;
      case 'failback':
        return this.#failback();
      default:
        await this.#ask({ kind: order });
    }
  }

  /** Every stage in its order, until one is refused or takes too long. */
  async #failback(): Promise<void> {
    for (const stage of FAILBACK_STAGES) {
      const done = await this.#ask({ kind: 'failback', stage });
      this.#world.tell('operator', `failback ${stage}: ${done ? 'done' : 'given up'}`);
      if (!done) return;
    }
  }

  async #ask(command: Command): Promise<boolean> {
    const { effect, requestId } = await request(this.#ports(), command, WHY);
    if (effect.kind !== 'done') return false;
    const untilMs = this.#host.nowMs() + STAGE_MS_MAX;
    while (this.#host.nowMs() < untilMs) {
      await this.#host.wait(LOOK_EVERY_MS);
      const { lastAnswer, operation, lastOperation } = this.#world.ohio.control;
      if (lastAnswer?.request.id !== requestId) continue;
      if (lastAnswer.outcome === 'refused') return false;
      if (lastAnswer.operationId === null || lastOperation?.id === lastAnswer.operationId) {
        return lastOperation?.outcome !== 'abandoned';
      }
      if (operation?.id !== lastAnswer.operationId) return false;
    }
    return false;
  }

  #ports(): Parameters<typeof pause>[0] {
    const { ohio } = this.#world;
    const { row } = ohio;
    const authority = {
      ...row,
      readAtMs: ohio.host.wallMs(),
    };
    return {
      control: {
        read: async () => ohio.readControl(),
        write: async ({ version, record }) => ohio.writeControl(version, record),
        history: async () => [],
      },
      authority: {
        read: async () => authority,
        latch: async () => 'conflict',
        open: async () => 'conflict',
      },
      clock: { nowMs: () => Math.round(this.#host.wallMs()), newId: () => this.#world.newId('ask') },
    };
  }
}
