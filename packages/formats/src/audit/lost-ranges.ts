import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { ReadStatement, Statement } from './checkpoint';
import type { AuditEvent } from './event';
import { type DeclaredLoss, type Finding, finding } from './finding';

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

interface Loss {
  readonly chain: string;
  readonly epoch: number;
  /** The newest event of the epoch that is present; 0: none. */
  readonly lastSeq: number;
  /** The newest lost event that a statement knows. */
  readonly checkpointSeq: number;
}

interface Declaration {
  readonly event: AuditEvent;
  readonly gap: Gap;
}

/**
 * Events of an epoch that signed statements know and the log lacks, against those that the log declares as lost: each
 * failover may lose the tail of the epoch before it, and the next epoch has to say so.
 */
export class LostRanges {
  readonly #read: ReadStatement;
  readonly #losses = new Map<string, Loss>();
  readonly #declarations: Declaration[] = [];
  readonly #findings: Finding[] = [];

  constructor(read: ReadStatement) {
    this.#read = read;
  }

  /** A statement of an epoch whose event is not there. */
  lost(statement: Statement, lastSeq: number): void {
    const { chain, epoch, seq } = statement;
    const key = keyOf(statement);
    const before = this.#losses.get(key);
    this.#losses.set(key, { chain, epoch, lastSeq, checkpointSeq: Math.max(seq, before?.checkpointSeq ?? 0) });
  }

  /** An event `audit_gap`. */
  async declared(event: AuditEvent): Promise<void> {
    const gap: unknown = JSON.parse(event.body);
    const believed = Value.Check(Gap, gap) && (await this.#agrees(event, gap));
    if (believed) this.#declarations.push({ event, gap });
    else this.#misdeclared(event, 'declares a loss that no signed checkpoint shows');
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

  /** Settles each loss with its declaration. */
  end(): { readonly findings: readonly Finding[]; readonly declared: readonly DeclaredLoss[] } {
    const open = new Map(this.#losses);
    const declared: DeclaredLoss[] = [];
    for (const { event, gap } of this.#declarations) {
      const key = keyOf(gap);
      const loss = this.#losses.get(key);
      if (!loss || loss.lastSeq !== gap.lastSeq) {
        this.#misdeclared(
          event,
          `declares that ${gap.chain} was lost after event ${gap.lastSeq} of epoch ${gap.epoch}, and that is not so`,
        );
      } else if (gap.checkpointSeq >= loss.checkpointSeq) {
        open.delete(key);
        declared.push({ chain: gap.chain, epoch: gap.epoch, lastSeq: gap.lastSeq, checkpointSeq: gap.checkpointSeq });
      }
    }
    return { findings: [...this.#findings, ...[...open.values()].map(undeclared)], declared };
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

function undeclared({ chain, epoch, lastSeq, checkpointSeq }: Loss): Finding {
  if (lastSeq === 0) {
    return finding(
      'chain_missing',
      chain,
      1,
      `${chain}: nothing is left of its ${checkpointSeq} events of epoch ${epoch}`,
    );
  }
  const events = lastSeq + 1 === checkpointSeq ? `event ${checkpointSeq}` : `events ${lastSeq + 1} to ${checkpointSeq}`;
  return finding(
    'loss_undeclared',
    chain,
    lastSeq + 1,
    `${chain}: ${events} of epoch ${epoch} are gone, and nothing declares them as lost`,
  );
}
