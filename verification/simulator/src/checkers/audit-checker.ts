import type { RememberedEvent, StoredCheckpoint } from '@evergrant/server/audit/store';
import { statementOf } from '../actors/fake-checkpoint-signer';
import { isDeclared, isPresent } from '../database/audit-log';
import type { Tables } from '../database/tables';
import type { Violations } from './violations';

/** Checks that no signed audit event is lost without a declaration. It keeps its own copy of all checkpoints. */
export class AuditChecker {
  readonly #violations: Violations;
  /** The newest event of each chain, epoch and era. */
  readonly #signed = new Map<string, RememberedEvent>();

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  /** Checks a stored checkpoint: lost events of earlier epochs of its chain must have been declared before. */
  stored({ jws }: StoredCheckpoint, tables: Tables | undefined): void {
    const event = statementOf(jws);
    const { chain, epoch, era } = event;
    const undeclared =
      tables && this.#undeclared(tables, (earlier) => earlier.chain === chain && earlier.epoch < epoch);
    if (undeclared)
      this.#violations.record('undeclared-event-loss', `${undeclared}, and epoch ${epoch} continues the chain`);
    this.#signed.set(`${chain} ${epoch} ${era}`, event);
  }

  /** A signed event that the active region's log neither contains nor declares as lost, if any. */
  unaccounted(activeEpoch: number, tables: Tables): string | undefined {
    return this.#undeclared(tables, ({ epoch }) => epoch < activeEpoch);
  }

  #undeclared(tables: Tables, concerns: (event: RememberedEvent) => boolean): string | undefined {
    for (const event of this.#signed.values()) {
      if (!concerns(event) || isPresent(event, tables) || isDeclared(event, tables)) continue;
      return `event ${event.seq} of ${event.chain} in epoch ${event.epoch} is lost without a declaration`;
    }
    return undefined;
  }
}
