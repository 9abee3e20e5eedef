import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { CheckpointStatement, ReadStatement } from './checkpoint';
import type { AuditEvent } from './event';
import { type DeclaredLoss, type Finding, finding, type UnknownTail } from './finding';

/** The body of an event `audit_gap`. */
const Gap = Type.Object({
  chain: Type.String(),
  epoch: Type.Integer(),
  era: Type.Integer(),
  lastSeq: Type.Integer(),
  checkpointSeq: Type.Integer(),
  checkpointHash: Type.String(),
  checkpoint: Type.String(),
});
type Gap = Static<typeof Gap>;

/** The body of an event `audit_gap` that an opening appends: nothing proves a loss, and nothing excludes it. */
const UnknownTailBody = Type.Object({
  tailUnknownSince: Type.String(),
  epoch: Type.Integer(),
  possibleLoss: Type.Union([Type.Literal('escrow'), Type.Literal('anything')]),
});

interface LostRange {
  readonly chain: string;
  readonly epoch: number;
  /** The newest present event of the epoch; 0 when there is none. */
  readonly lastSeq: number;
  /** The newest lost event that a statement covers. */
  readonly checkpointSeq: number;
}

interface Declaration {
  readonly event: AuditEvent;
  readonly gap: Gap;
}

/**
 * Compares the events that signed statements cover but the log lacks with the losses that the log declares. Each failover
 * may lose the tail of the previous epoch, and the next epoch must declare it.
 */
export class LostRanges {
  readonly #read: ReadStatement;
  readonly #ranges = new Map<string, LostRange>();
  readonly #declarations: Declaration[] = [];
  readonly #unknownTails: UnknownTail[] = [];
  readonly #findings: Finding[] = [];

  constructor(read: ReadStatement) {
    this.#read = read;
  }

  /** Adds a statement whose event is missing. */
  addLost(statement: CheckpointStatement, lastSeq: number): void {
    const { chain, epoch, seq } = statement;
    const key = keyOf(statement);
    const before = this.#ranges.get(key);
    this.#ranges.set(key, { chain, epoch, lastSeq, checkpointSeq: Math.max(seq, before?.checkpointSeq ?? 0) });
  }

  /** Adds an event of kind `audit_gap`. */
  async addDeclaration(event: AuditEvent): Promise<void> {
    const gap: unknown = JSON.parse(event.body);
    if (Value.Check(UnknownTailBody, gap) && gap.epoch < event.epoch) {
      this.#unknownTails.push({ epoch: gap.epoch, since: gap.tailUnknownSince });
      return;
    }
    const isValid = Value.Check(Gap, gap) && (await this.#agrees(event, gap));
    if (isValid) this.#declarations.push({ event, gap });
    else this.#misdeclared(event, 'declares a loss that no signed checkpoint proves');
  }

  async #agrees({ epoch }: AuditEvent, gap: Gap): Promise<boolean> {
    const signed = await this.#read(gap.checkpoint);
    return (
      signed.kind === 'checkpoint' &&
      signed.chain === gap.chain &&
      signed.epoch === gap.epoch &&
      signed.era === gap.era &&
      signed.seq === gap.checkpointSeq &&
      signed.hash === gap.checkpointHash &&
      gap.epoch < epoch
    );
  }

  /** Matches the lost ranges with the declarations. */
  end(): {
    readonly findings: readonly Finding[];
    readonly declared: readonly DeclaredLoss[];
    readonly unknownTails: readonly UnknownTail[];
  } {
    const open = new Map(this.#ranges);
    const declared: DeclaredLoss[] = [];
    for (const { event, gap } of this.#declarations) {
      const key = keyOf(gap);
      const range = this.#ranges.get(key);
      if (!range || range.lastSeq !== gap.lastSeq) {
        this.#misdeclared(
          event,
          `declares that ${gap.chain} was lost after event ${gap.lastSeq} of epoch ${gap.epoch}, which does not match the log`,
        );
      } else if (gap.checkpointSeq >= range.checkpointSeq) {
        open.delete(key);
        declared.push({ chain: gap.chain, epoch: gap.epoch, lastSeq: gap.lastSeq, checkpointSeq: gap.checkpointSeq });
      }
    }
    const findings = [...this.#findings, ...[...open.values()].map(undeclared)];
    return { findings, declared, unknownTails: this.#unknownTails };
  }

  #misdeclared(event: AuditEvent, text: string): void {
    this.#findings.push(
      finding('loss_misdeclared', event.chain, event.seq, `${event.chain}: event ${event.seq} ${text}`),
    );
  }
}

function keyOf({ chain, epoch, era }: Pick<Gap, 'chain' | 'epoch' | 'era'>): string {
  return `${chain} ${epoch} ${era}`;
}

function undeclared({ chain, epoch, lastSeq, checkpointSeq }: LostRange): Finding {
  if (lastSeq === 0) {
    return finding('chain_missing', chain, 1, `${chain}: all ${checkpointSeq} events of epoch ${epoch} are missing`);
  }
  const events = lastSeq + 1 === checkpointSeq ? `event ${checkpointSeq}` : `events ${lastSeq + 1} to ${checkpointSeq}`;
  return finding(
    'loss_undeclared',
    chain,
    lastSeq + 1,
    `${chain}: ${events} of epoch ${epoch} are missing and not declared as lost`,
  );
}
