import { checkpointHash, precedes, type ReadStatement, type Statement } from './checkpoint';
import { type Finding, type FindingCode, finding } from './finding';

/** A statement as it is stored; a head has no number. */
export interface StoredStatement {
  readonly chain: string;
  readonly number: number | null;
  readonly jws: string;
}

export interface CheckedStatement {
  readonly findings: readonly Finding[];
  /** Undefined when nothing can be believed of it. */
  readonly statement: Statement | undefined;
}

/** Follows the checkpoints of one chain: signatures, numbers without gaps, each linked to the one before. */
export class StatementCheck {
  readonly #chain: string;
  readonly #read: ReadStatement;
  #last: { readonly number: number; readonly jws: string; readonly believed: Statement | undefined } | undefined;

  constructor(chain: string, read: ReadStatement) {
    this.#chain = chain;
    this.#read = read;
  }

  async next(stored: StoredStatement): Promise<CheckedStatement> {
    const verdict = await this.#read(stored.jws);
    if (verdict.kind === 'forged') return this.#forged(stored, verdict.reason);
    const number = verdict.kind === 'checkpoint' ? verdict.number : null;
    if (verdict.chain !== stored.chain || number !== stored.number) {
      return this.#forged(stored, `it is ${number === null ? 'a head' : `checkpoint ${number}`} of ${verdict.chain}`);
    }
    if (verdict.kind === 'head') return { findings: [], statement: verdict };
    const findings = this.#continuity(verdict);
    this.#last = { number: verdict.number, jws: stored.jws, believed: verdict };
    return { findings, statement: verdict };
  }

  #continuity(checkpoint: Extract<Statement, { kind: 'checkpoint' }>): Finding[] {
    const last = this.#last;
    const { number, seq } = checkpoint;
    if (last && number <= last.number) {
      return [
        this.#finding('checkpoint_reordered', seq, `checkpoint ${number} stands after checkpoint ${last.number}`),
      ];
    }
    const expected = (last?.number ?? 0) + 1;
    if (number > expected) {
      const missing = number === expected + 1 ? `${expected} is` : `${expected} to ${number - 1} are`;
      return [this.#finding('checkpoint_missing', seq, `checkpoint ${missing} missing`)];
    }
    const findings: Finding[] = [];
    if (checkpoint.previous !== (last ? checkpointHash(last.jws) : null)) {
      const text = `checkpoint ${number} does not continue checkpoint ${number - 1} as it stands here`;
      findings.push(this.#finding('checkpoint_missing', seq, text));
    }
    const before = last?.believed;
    if (before && (precedes(checkpoint, before) || (checkpoint.epoch === before.epoch && seq < before.seq))) {
      const text = `checkpoint ${number} is of event ${seq} in epoch ${checkpoint.epoch}, the one before of event ${before.seq} in epoch ${before.epoch}`;
      findings.push(this.#finding('checkpoint_reordered', seq, text));
    }
    return findings;
  }

  #forged(stored: StoredStatement, reason: string): CheckedStatement {
    const what = stored.number === null ? 'the signed head' : `checkpoint ${stored.number}`;
    // The next one is still expected to follow it.
    if (stored.number !== null) this.#last = { number: stored.number, jws: stored.jws, believed: undefined };
    return {
      findings: [this.#finding('checkpoint_forged', null, `${what} cannot be believed: ${reason}`)],
      statement: undefined,
    };
  }

  #finding(code: FindingCode, seq: number | null, text: string): Finding {
    return finding(code, this.#chain, seq, `${this.#chain}: ${text}`);
  }
}
