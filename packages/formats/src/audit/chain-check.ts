import { type CheckpointStatement, precedes } from './checkpoint';
import type { AuditEvent } from './event';
import { type Finding, type FindingCode, finding } from './finding';
import { LinkCheck } from './link-check';
import type { LostRanges } from './lost-ranges';
import type { CheckedStatement } from './statement-check';

export interface ChainCheckOptions {
  readonly chain: string;
  readonly whole: boolean;
  readonly lostRanges: LostRanges;
  /** Returns the next checked statement of the chain, in order; undefined at the end. */
  readonly nextStatement: () => Promise<CheckedStatement | undefined>;
}

/** The newest events of a chain, which no checkpoint covers yet. */
export interface UnprovenEvents {
  readonly chain: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** The time of the first of these events. */
  readonly since: string;
}

/**
 * Checks one chain: its events and, in step with them, the signed statements about them. A statement about a missing
 * event means a loss if a later epoch continued without that event, and a truncation otherwise.
 */
export class ChainCheck {
  readonly #options: ChainCheckOptions;
  readonly #links: LinkCheck;
  #pending: CheckpointStatement | undefined;
  #unproven: UnprovenEvents | undefined;

  constructor(options: ChainCheckOptions) {
    this.#options = options;
    this.#links = new LinkCheck(options.chain, options);
  }

  get unproven(): UnprovenEvents | undefined {
    return this.#unproven;
  }

  async event(event: AuditEvent): Promise<Finding[]> {
    const last = this.#links.last;
    if (last && event.seq <= last.seq) return this.#links.event(event);
    const findings = await this.#statementsBefore(event, last?.seq ?? 0);
    findings.push(...this.#links.event(event));
    const { chain, seq, at } = event;
    this.#unproven = {
      chain,
      firstSeq: this.#unproven?.firstSeq ?? seq,
      lastSeq: seq,
      since: this.#unproven?.since ?? at,
    };
    while (this.#pending?.seq === seq) {
      findings.push(...this.#compare(this.#pending, event));
      findings.push(...(await this.#advance()));
    }
    if (event.kind === 'audit_gap') await this.#options.lostRanges.addDeclaration(event);
    return findings;
  }

  async end(): Promise<Finding[]> {
    const { chain, whole, lostRanges } = this.#options;
    const findings = await this.#fill();
    const last = this.#links.last;
    let beyond: CheckpointStatement | undefined;
    while (this.#pending) {
      if (!last && whole) lostRanges.addLost(this.#pending, 0);
      else if (last && this.#pending.seq > Math.max(last.seq, beyond?.seq ?? 0)) beyond = this.#pending;
      findings.push(...(await this.#advance()));
    }
    findings.push(...this.#links.end());
    if (beyond && last && whole) {
      const what = beyond.kind === 'head' ? 'the signed head' : `checkpoint ${beyond.number}`;
      const text = `${chain}: ends with event ${last.seq}, but ${what} covers event ${beyond.seq}`;
      findings.push(finding('chain_truncated', chain, last.seq + 1, text));
    }
    return findings;
  }

  /** Processes the statements whose event should precede this one. */
  async #statementsBefore(event: AuditEvent, lastSeq: number): Promise<Finding[]> {
    const findings = await this.#fill();
    for (let pending = this.#pending; pending; pending = this.#pending) {
      const lost = pending.seq >= event.seq && precedes(pending, event);
      // A statement about a missing range adds nothing: LinkCheck reports the range.
      if (!lost && pending.seq >= event.seq) break;
      if (lost) this.#options.lostRanges.addLost(pending, lastSeq);
      findings.push(...(await this.#advance()));
    }
    return findings;
  }

  #compare(statement: CheckpointStatement, event: AuditEvent): Finding[] {
    if (statement.kind === 'checkpoint') this.#unproven = undefined;
    if (statement.hash === event.hash) return [];
    const what = statement.kind === 'head' ? 'the signed head' : `checkpoint ${statement.number}`;
    const code: FindingCode = 'chain_rewritten';
    const text = `${event.chain}: event ${event.seq} differs from the one that ${what} of ${statement.at} signed`;
    return [finding(code, event.chain, event.seq, text)];
  }

  async #fill(): Promise<Finding[]> {
    return this.#pending ? [] : this.#advance();
  }

  /** Makes the next valid statement the pending one. */
  async #advance(): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (;;) {
      const next = await this.#options.nextStatement();
      if (next) findings.push(...next.findings);
      if (next && !next.statement) continue;
      this.#pending = next?.statement;
      return findings;
    }
  }
}
