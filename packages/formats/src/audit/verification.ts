import { ChainCheck, type Unproven } from './chain-check';
import type { ReadStatement } from './checkpoint';
import type { AuditEvent } from './event';
import { type DeclaredLoss, type Finding, finding } from './finding';
import { LostRanges } from './lost-ranges';
import { Peekable } from './peekable';
import { type CheckedStatement, StatementCheck, type StoredStatement } from './statement-check';

/** An element of what is verified: an event, or something where an event should be. */
export type ExportLine =
  | { readonly kind: 'event'; readonly event: AuditEvent }
  | { readonly kind: 'unreadable'; readonly where: string; readonly reason: string };

export interface VerificationInput {
  /** By chain in the order of their names, in each by seq: the order of an export. */
  readonly events: AsyncIterable<ExportLine>;
  /** By chain in the same order, in each by number, a head last. */
  readonly statements: AsyncIterable<StoredStatement>;
  readonly readStatement: ReadStatement;
  /** False when the events are a section of the log: then chains may begin anywhere. */
  readonly whole: boolean;
  /** Events that have waited longer than this for a checkpoint are a finding; undefined: they never are. */
  readonly overdue?: { readonly nowMs: number; readonly afterMs: number };
  /** Sees each event; for what is counted along the way. */
  readonly onEvent?: (event: AuditEvent) => void;
}

export interface VerificationSummary {
  readonly events: number;
  readonly chains: number;
  readonly statements: number;
  readonly findings: number;
  readonly unproven: readonly Unproven[];
  readonly declaredLosses: readonly DeclaredLoss[];
}

/**
 * Verifies a log, told as two sequences in the same order, in memory that does not grow with them: findings as they
 * turn up, the summary in the end.
 */
export async function* verifyLog(input: VerificationInput): AsyncGenerator<Finding, VerificationSummary> {
  const run = new Run(input);
  for (;;) {
    const chain = await run.nextChain();
    if (chain === undefined) break;
    yield* run.verifyChain(chain);
  }
  yield* run.settle();
  return run.summary();
}

class Run {
  readonly #input: VerificationInput;
  readonly #events: Peekable<ExportLine>;
  readonly #statements: Peekable<StoredStatement>;
  readonly #losses: LostRanges;
  readonly #unproven: Unproven[] = [];
  #declaredLosses: readonly DeclaredLoss[] = [];
  #counts = { events: 0, chains: 0, statements: 0, findings: 0 };
  #chain = '';

  constructor(input: VerificationInput) {
    this.#input = input;
    this.#events = new Peekable(input.events);
    this.#statements = new Peekable(input.statements);
    this.#losses = new LostRanges(input.readStatement);
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
      yield* this.#passOver(chain);
      return;
    }
    if (chain === this.#chain && chain !== '') {
      yield* this.#passOver(chain);
      return;
    }
    this.#chain = chain;
    const statements = new StatementCheck(chain, this.#input.readStatement);
    const { whole } = this.#input;
    const check = new ChainCheck({
      chain,
      whole,
      losses: this.#losses,
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
    if (check.unproven) yield* this.#judgeUnproven(check.unproven);
  }

  /** What stands behind the chain that it should stand in front of. */
  async *#passOver(chain: string): AsyncGenerator<Finding> {
    const next = await this.#events.peek();
    if (next?.kind === 'event' && next.event.chain === chain) {
      await this.#events.take();
      this.#counts.events += 1;
      const { seq } = next.event;
      yield this.#count(finding('events_reordered', chain, seq, `${chain}: event ${seq} stands behind another chain`));
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
    yield this.#count(finding('checkpoint_reordered', chain, null, `${chain}: ${what} stands behind another chain`));
  }

  async *settle(): AsyncGenerator<Finding> {
    const { findings, declared } = this.#losses.end();
    this.#declaredLosses = declared;
    for (const found of findings) yield this.#count(found);
  }

  summary(): VerificationSummary {
    return { ...this.#counts, unproven: this.#unproven, declaredLosses: this.#declaredLosses };
  }

  async #nextStatement(statements: StatementCheck): Promise<CheckedStatement | undefined> {
    const next = await this.#statements.peek();
    if (next?.chain !== this.#chain) return undefined;
    await this.#statements.take();
    this.#counts.statements += 1;
    return statements.next(next);
  }

  *#judgeUnproven(unproven: Unproven): Generator<Finding> {
    this.#unproven.push(unproven);
    const { overdue } = this.#input;
    if (!overdue || overdue.nowMs - Date.parse(unproven.since) <= overdue.afterMs) return;
    const { chain, firstSeq, lastSeq, since } = unproven;
    const events = firstSeq === lastSeq ? `event ${firstSeq} has` : `events ${firstSeq} to ${lastSeq} have`;
    const text = `${chain}: ${events} waited for a checkpoint since ${since}`;
    yield this.#count(finding('checkpoint_overdue', chain, firstSeq, text));
  }

  #count(found: Finding): Finding {
    this.#counts.findings += 1;
    return found;
  }
}
