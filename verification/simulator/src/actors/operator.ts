import { FAILBACK_STAGES } from '@evergrant/controller/core/operations';
import type { Command } from '@evergrant/controller/core/requests';
import { arm, pause, request } from '@evergrant/controller/operator-commands';
import type { SimulationContext } from '../context';
import type { ImportedTerms } from '../database/tables';
import type { ImportedTerm, OperatorAction } from '../scenario/scenario';
import type { Host } from '../topology/host';
import type { HttpAnswer, HttpCall } from './http';

const LOOK_EVERY_MS = 3_000;
const STAGE_MS_MAX = 240_000;
const CALL_TIMEOUT_MS = 10_000;
const WHY = { by: 'operator', reason: 'simulated' };

/** A human who follows the runbook. Requests are written at one moment, because a human repeats one that met a conflict. */
export class HumanOperator {
  readonly #host: Host;
  readonly #context: SimulationContext;
  #terms: ImportedTerms | undefined;

  constructor(host: Host, context: SimulationContext) {
    this.#host = host;
    this.#context = context;
  }

  async perform(action: OperatorAction): Promise<void> {
    this.#context.record('operator', action);
    switch (action) {
      case 'pause':
        await pause(this.#ports(), WHY);
        return;
      case 'arm':
        await arm(this.#ports(), WHY);
        return;
      case 'failback':
        return this.#failback();
      default:
        await this.#request({ kind: action });
    }
  }

  /** Imports a license file that changes one term of pool 1. Each file contains all terms, as the vendor signed them. */
  async importTerm(term: ImportedTerm, amount: number): Promise<void> {
    const { pools, leaseTtlMs } = this.#context.scenario;
    const [pool] = pools;
    if (!pool) return;
    const { seats, escrow } = pool;
    this.#terms ??= { issue: 1, seats, escrow, leaseTtlMs };
    const value = { seats: seats + amount, escrow: amount, leaseTtlMs: Math.max(leaseTtlMs, amount) }[term];
    // A later file has no fewer seats: the vendor sold them.
    const next = { ...this.#terms, [term]: term === 'seats' ? Math.max(this.#terms.seats, value) : value };
    this.#terms = { ...next, issue: this.#terms.issue + 1 };
    this.#context.grantChecker.importRequested(1, this.#terms.seats + pool.overdraft);
    await this.#send({ kind: 'import', body: { poolId: 1, terms: this.#terms } });
  }

  /** Takes a lease back, like `npx evergrant lease release`. */
  async takeBack(leaseId: string): Promise<void> {
    this.#context.grantChecker.takeBackRequested(leaseId);
    await this.#send({ kind: 'take-back', leaseId, body: { reason: 'simulated' } });
  }

  async #send(call: HttpCall): Promise<void> {
    const { network, edge } = this.#context;
    const answer = await network.askHost<HttpAnswer | undefined>(this.#host, edge.host, {
      ...{ timeoutMs: CALL_TIMEOUT_MS, late: undefined, refused: undefined },
      serve: (reply) => void edge.forward(call).then(reply),
    });
    const { kind, leaseId = '', body = {} } = call;
    const code = answer?.body.code ?? '';
    const about = leaseId || JSON.stringify(body.terms);
    this.#context.record('operator', `${kind} ${about}: ${answer?.status ?? 'no answer'} ${code}`);
  }

  /** Requests every stage in order until one is refused or takes too long. */
  async #failback(): Promise<void> {
    for (const stage of FAILBACK_STAGES) {
      const done = await this.#request({ kind: 'failback', stage });
      this.#context.record('operator', `failback ${stage}: ${done ? 'done' : 'aborted'}`);
      if (!done) return;
    }
  }

  async #request(command: Command): Promise<boolean> {
    const { effect, requestId } = await request(this.#ports(), command, WHY);
    if (effect.kind !== 'done') return false;
    const untilMs = this.#host.nowMs() + STAGE_MS_MAX;
    while (this.#host.nowMs() < untilMs) {
      await this.#host.wait(LOOK_EVERY_MS);
      const { lastAnswer, operation, lastOperation } = this.#context.authorityStore.control;
      if (lastAnswer?.request.id !== requestId) continue;
      if (lastAnswer.outcome === 'refused') return false;
      if (lastAnswer.operationId === undefined || lastOperation?.id === lastAnswer.operationId) {
        return lastOperation?.outcome !== 'abandoned';
      }
      if (operation?.id !== lastAnswer.operationId) return false;
    }
    return false;
  }

  #ports(): Parameters<typeof pause>[0] {
    const { authorityStore } = this.#context;
    const authority = { ...authorityStore.row, readAtMs: authorityStore.host.wallMs() };
    return {
      control: {
        read: async () => authorityStore.readControl(),
        write: async ({ version, record }) => authorityStore.writeControl(version, record),
        history: async () => [],
      },
      authority: {
        read: async () => authority,
        latch: async () => 'conflict',
        open: async () => 'conflict',
      },
      clock: { nowMs: () => Math.round(this.#host.wallMs()), newId: () => this.#context.newId('request') },
    };
  }
}
