import { type CheckpointStatement, checkpointHash, precedes, type ReadStatement } from './checkpoint';
import { type Finding, type FindingCode, finding } from './finding';

/** A statement from the store. A head has no number. */
export interface StoredStatement {
  readonly chain: string;
  readonly number: number | null;
  readonly jws: string;
}

export interface CheckedStatement {
  readonly findings: readonly Finding[];
  /** Undefined when the statement is invalid. */
  readonly statement: CheckpointStatement | undefined;
}

/** Checks the checkpoints of one chain: signatures, numbers without gaps, and the link of each to the previous one. */
export class StatementCheck {
  readonly #chain: string;
  readonly #read: ReadStatement;
  #last:
    | { readonly number: number; readonly jws: string; readonly verified: CheckpointStatement | undefined }
    | undefined;

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
    this.#last = { number: verdict.number, jws: stored.jws, verified: verdict };
    return { findings, statement: verdict };
  }

  #continuity(checkpoint: Extract<CheckpointStatement, { kind: 'checkpoint' }>): Finding[] {
    const last = this.#last;
    const { number, seq } = checkpoint;
    if (last && number <= last.number) {
      return [
        this.#finding('checkpoint_reordered', seq, `checkpoint ${number} appears after checkpoint ${last.number}`),
      ];
    }
    const expected = (last?.number ?? 0) + 1;
    if (number > expected) {
      const missing = number === expected + 1 ? `${expected} is` : `${expected} to ${number - 1} are`;
      return [this.#finding('checkpoint_missing', seq, `checkpoint ${missing} missing`)];
    }
    const findings: Finding[] = [];
    if (checkpoint.previous !== (last ? checkpointHash(last.jws) : null)) {
      const text = `checkpoint ${number} does not link to checkpoint ${number - 1}`;
      findings.push(this.#finding('checkpoint_missing', seq, text));
    }
    const before = last?.verified;
    if (before && (precedes(checkpoint, before) || (checkpoint.epoch === before.epoch && seq < before.seq))) {
      const text = `checkpoint ${number} is of event ${seq} in epoch ${checkpoint.epoch}, the one before of event ${before.seq} in epoch ${before.epoch}`;
      findings.push(this.#finding('checkpoint_reordered', seq, text));
    }
    return findings;
  }

  #forged(stored: StoredStatement, reason: string): CheckedStatement {
    const what = stored.number === null ? 'the signed head' : `checkpoint ${stored.number}`;
    // The next checkpoint is still expected to link to this one.
    if (stored.number !== null) this.#last = { number: stored.number, jws: stored.jws, verified: undefined };
    return {
      findings: [this.#finding('checkpoint_forged', null, `${what} is invalid: ${reason}`)],
      statement: undefined,
    };
  }

  #finding(code: FindingCode, seq: number | null, text: string): Finding {
    return finding(code, this.#chain, seq, `${this.#chain}: ${text}`);
  }
}
