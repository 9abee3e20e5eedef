import { precedes, type Statement } from './checkpoint';
import type { AuditEvent } from './event';
import { type Finding, type FindingCode, finding } from './finding';
import { LinkCheck } from './link-check';
import type { LostRanges } from './lost-ranges';
import type { CheckedStatement } from './statement-check';

export interface ChainCheckOptions {
  readonly chain: string;
  readonly whole: boolean;
  readonly losses: LostRanges;
  /** The next believed statement of the chain in their order; undefined at the end. */
  readonly nextStatement: () => Promise<CheckedStatement | undefined>;
}

/** The newest events of a chain that no checkpoint covers yet. */
export interface Unproven {
  readonly chain: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** When the first of them happened. */
  readonly since: string;
}

/**
 * One chain: its events, and the signed statements about them in step. A statement about an event that is not there
 * means a loss when a later epoch has gone on without it, and a truncation otherwise.
 */
export class ChainCheck {
  readonly #options: ChainCheckOptions;
  readonly #links: LinkCheck;
  #pending: Statement | undefined;
  #unproven: Unproven | undefined;

  constructor(options: ChainCheckOptions) {
    this.#options = options;
    this.#links = new LinkCheck(options.chain, options);
  }

  get unproven(): Unproven | undefined {
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
    if (event.kind === 'audit_gap') await this.#options.losses.declared(event);
    return findings;
  }

  async end(): Promise<Finding[]> {
    const { chain, whole, losses } = this.#options;
    const findings = await this.#fill();
    const last = this.#links.last;
    let beyond: Statement | undefined;
    while (this.#pending) {
      if (!last && whole) losses.lost(this.#pending, 0);
      else if (last && this.#pending.seq > Math.max(last.seq, beyond?.seq ?? 0)) beyond = this.#pending;
      findings.push(...(await this.#advance()));
    }
    findings.push(...this.#links.end());
    if (beyond && last && whole) {
      const what = beyond.kind === 'head' ? 'the signed head' : `checkpoint ${beyond.number}`;
      const text = `${chain}: ends with event ${last.seq}, but ${what} knows event ${beyond.seq}`;
      findings.push(finding('chain_truncated', chain, last.seq + 1, text));
    }
    return findings;
  }

  /** Statements whose event should have come by before this one. */
  async #statementsBefore(event: AuditEvent, lastSeq: number): Promise<Finding[]> {
    const findings = await this.#fill();
    for (let pending = this.#pending; pending; pending = this.#pending) {
      const lost = pending.seq >= event.seq && precedes(pending, event);
      // One that points into a hole says nothing new: the hole is told.
      if (!lost && pending.seq >= event.seq) break;
      if (lost) this.#options.losses.lost(pending, lastSeq);
      findings.push(...(await this.#advance()));
    }
    return findings;
  }

  #compare(statement: Statement, event: AuditEvent): Finding[] {
    if (statement.kind === 'checkpoint') this.#unproven = undefined;
    if (statement.hash === event.hash) return [];
    const what = statement.kind === 'head' ? 'the signed head' : `checkpoint ${statement.number}`;
    const code: FindingCode = 'chain_rewritten';
    const text = `${event.chain}: event ${event.seq} is another one than ${what} of ${statement.at} says`;
    return [finding(code, event.chain, event.seq, text)];
  }

  async #fill(): Promise<Finding[]> {
    return this.#pending ? [] : this.#advance();
  }

  /** Makes the next statement that can be believed the pending one. */
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
