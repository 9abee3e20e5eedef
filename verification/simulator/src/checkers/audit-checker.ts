import type { RememberedEvent, StoredCheckpoint } from '@evergrant/server/audit/store';
import { statementOf } from '../actors/statements';
import { isDeclared, isPresent } from '../database/audit-log';
import type { Tables } from '../database/tables';
import type { Ledger } from './grant-checker';

/** What was signed of the audit log, kept apart from the store that the product asks. */
export class AuditBook {
  readonly #ledger: Ledger;
  /** Of each chain, epoch and era the newest. */
  readonly #signed = new Map<string, RememberedEvent>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** A checkpoint was stored. Whoever signs for a chain has told before what of its earlier epochs is lost. */
  stored({ jws }: StoredCheckpoint, tables: Tables | undefined): void {
    const event = statementOf(jws);
    const { chain, epoch, era } = event;
    const untold = tables && this.#untold(tables, (earlier) => earlier.chain === chain && earlier.epoch < epoch);
    if (untold) this.#ledger.breaks('events-lost-untold', `${untold}, and epoch ${epoch} goes on with the chain`);
    this.#signed.set(`${chain} ${epoch} ${era}`, event);
  }

  /** What the log of whoever is active neither has nor says to be lost; undefined: nothing. */
  unaccounted(activeEpoch: number, tables: Tables): string | undefined {
    return this.#untold(tables, ({ epoch }) => epoch < activeEpoch);
  }

  #untold(tables: Tables, isMeant: (event: RememberedEvent) => boolean): string | undefined {
    for (const event of this.#signed.values()) {
      if (!isMeant(event) || isPresent(event, tables) || isDeclared(event, tables)) continue;
      return `event ${event.seq} of ${event.chain} in epoch ${event.epoch} is gone, and nothing declares it as lost`;
    }
    return undefined;
  }
}
