import { ChainCheck, type UnprovenEvents } from './chain-check';
import type { ReadStatement } from './checkpoint';
import type { AuditEvent } from './event';
import { type DeclaredLoss, type Finding, finding, type UnknownTail } from './finding';
import { LostRanges } from './lost-ranges';
import { Peekable } from './peekable';
import { type CheckedStatement, StatementCheck, type StoredStatement } from './statement-check';

/** One line of an export: an event, or a line that is not one. */
export type ExportLine =
  | { readonly kind: 'event'; readonly event: AuditEvent }
  | { readonly kind: 'unreadable'; readonly where: string; readonly reason: string };

export interface VerificationInput {
  /** Sorted by chain name, then by seq, as in an export. */
  readonly events: AsyncIterable<ExportLine>;
  /** Sorted by chain name, then by number; a head is last. */
  readonly statements: AsyncIterable<StoredStatement>;
  readonly readStatement: ReadStatement;
  /** False when the events are a section of the log, in which chains may start anywhere. */
  readonly whole: boolean;
  /** Events that wait longer than this for a checkpoint are a finding. Undefined disables the check. */
  readonly overdue?: { readonly nowMs: number; readonly afterMs: number };
  /** Receives each event, for counting. */
  readonly onEvent?: (event: AuditEvent) => void;
}

export interface VerificationSummary {
  readonly events: number;
  readonly chains: number;
  readonly statements: number;
  readonly findings: number;
  readonly unproven: readonly UnprovenEvents[];
  readonly declaredLosses: readonly DeclaredLoss[];
  readonly unknownTails: readonly UnknownTail[];
}

/**
 * Verifies a log from two sequences in the same order: events and statements. Yields findings as they occur and returns a
 * summary. Memory use does not depend on the length of the sequences.
 */
export async function* verifyLog(input: VerificationInput): AsyncGenerator<Finding, VerificationSummary> {
  const run = new Run(input);
  for (;;) {
    const chain = await run.nextChain();
    if (chain === undefined) break;
    yield* run.verifyChain(chain);
  }
  yield* run.finish();
  return run.summary();
}

class Run {
  readonly #input: VerificationInput;
  readonly #events: Peekable<ExportLine>;
  readonly #statements: Peekable<StoredStatement>;
  readonly #lostRanges: LostRanges;
  readonly #unproven: UnprovenEvents[] = [];
  #declaredLosses: readonly DeclaredLoss[] = [];
  #unknownTails: readonly UnknownTail[] = [];
  #counts = { events: 0, chains: 0, statements: 0, findings: 0 };
  #chain = '';

  constructor(input: VerificationInput) {
    this.#input = input;
    this.#events = new Peekable(input.events);
    this.#statements = new Peekable(input.statements);
    this.#lostRanges = new LostRanges(input.readStatement);
  }

  /** The chain that comes next by its name, in either sequence. */
  async nextChain(): Promise<string | undefined> {
    const event = await this.#events.peek();
    const statement = await this.#statements.peek();
    const ofEvent = event?.kind === 'unreadable' ? this.#chain : event?.event.chain;
    const candidates = [ofEvent, statement?.chain].filter((chain) => chain !== undefined);
    return candidates.length === 0 ? undefined : candidates.reduce((least, chain) => (chain < least ? chain : least));
  }

  async *verifyChain(chain: string): AsyncGenerator<Finding> {
    if (chain < this.#chain) {
      yield* this.#outOfOrder(chain);
      return;
    }
    if (chain === this.#chain && chain !== '') {
      yield* this.#outOfOrder(chain);
      return;
    }
    this.#chain = chain;
    const statements = new StatementCheck(chain, this.#input.readStatement);
    const { whole } = this.#input;
    const check = new ChainCheck({
      chain,
      whole,
      lostRanges: this.#lostRanges,
      nextStatement: () => this.#nextStatement(statements),
    });
    let present = false;
    for (let next = await this.#events.peek(); next; next = await this.#events.peek()) {
      if (next.kind === 'event' && next.event.chain !== chain) break;
      await this.#events.take();
      if (next.kind === 'unreadable') {
        yield this.#count(finding('unreadable', chain, null, `${next.where} cannot be read: ${next.reason}`));
        continue;
      }
      present = true;
      this.#counts.events += 1;
      this.#input.onEvent?.(next.event);
      for (const found of await check.event(next.event)) yield this.#count(found);
    }
    for (const found of await check.end()) yield this.#count(found);
    if (present) this.#counts.chains += 1;
    if (check.unproven) yield* this.#checkOverdue(check.unproven);
  }

  /** Reports an element of a chain that appears after a later chain. */
  async *#outOfOrder(chain: string): AsyncGenerator<Finding> {
    const next = await this.#events.peek();
    if (next?.kind === 'event' && next.event.chain === chain) {
      await this.#events.take();
      this.#counts.events += 1;
      const { seq } = next.event;
      yield this.#count(finding('events_reordered', chain, seq, `${chain}: event ${seq} appears after another chain`));
      return;
    }
    if (next?.kind === 'unreadable') {
      await this.#events.take();
      yield this.#count(finding('unreadable', chain, null, `${next.where} cannot be read: ${next.reason}`));
      return;
    }
    const statement = await this.#statements.take();
    this.#counts.statements += 1;
    const what = `checkpoint ${statement?.number ?? 'of the head'}`;
    yield this.#count(finding('checkpoint_reordered', chain, null, `${chain}: ${what} appears after another chain`));
  }

  async *finish(): AsyncGenerator<Finding> {
    const { findings, declared, unknownTails } = this.#lostRanges.end();
    this.#declaredLosses = declared;
    this.#unknownTails = unknownTails;
    for (const found of findings) yield this.#count(found);
  }

  summary(): VerificationSummary {
    return {
      ...this.#counts,
      unproven: this.#unproven,
      declaredLosses: this.#declaredLosses,
      unknownTails: this.#unknownTails,
    };
  }

  async #nextStatement(statements: StatementCheck): Promise<CheckedStatement | undefined> {
    const next = await this.#statements.peek();
    if (next?.chain !== this.#chain) return undefined;
    await this.#statements.take();
    this.#counts.statements += 1;
    return statements.next(next);
  }

  *#checkOverdue(unproven: UnprovenEvents): Generator<Finding> {
    this.#unproven.push(unproven);
    const { overdue } = this.#input;
    if (!overdue || overdue.nowMs - Date.parse(unproven.since) <= overdue.afterMs) return;
    const { chain, firstSeq, lastSeq, since } = unproven;
    const events = firstSeq === lastSeq ? `event ${firstSeq} has` : `events ${firstSeq} to ${lastSeq} have`;
    const text = `${chain}: ${events} been waiting for a checkpoint since ${since}`;
    yield this.#count(finding('checkpoint_overdue', chain, firstSeq, text));
  }

  #count(found: Finding): Finding {
    this.#counts.findings += 1;
    return found;
  }
}
