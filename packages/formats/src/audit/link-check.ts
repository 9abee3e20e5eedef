import { type AuditEvent, GENESIS_HASH, hashOf } from './event';
import { type Finding, type FindingCode, finding } from './finding';

const PENDING_RANGES_MAX = 1_000;

interface Range {
  readonly first: number;
  readonly last: number;
}

/**
 * Checks one chain event by event: the hash, the link to the previous event, and the number. Missing ranges are reported
 * at the end, because their events may follow out of order.
 */
export class LinkCheck {
  readonly #chain: string;
  readonly #whole: boolean;
  #last: { readonly event: AuditEvent; readonly rightHash: string } | undefined;
  #missing: Range[] = [];

  /** @param whole whether the chain must start with its first event; a section may start anywhere */
  constructor(chain: string, { whole }: { whole: boolean }) {
    this.#chain = chain;
    this.#whole = whole;
  }

  /** The newest event so far. */
  get last(): AuditEvent | undefined {
    return this.#last?.event;
  }

  event(event: AuditEvent): Finding[] {
    if (this.last && event.seq <= this.last.seq) return [this.#outOfPlace(event, this.last)];
    const findings: Finding[] = [];
    const rightHash = hashOf(event);
    if (rightHash === event.hash) findings.push(...this.#link(event));
    else {
      const text = 'was changed: its content does not match its hash';
      findings.push(this.#finding('event_changed', event.seq, text));
    }
    const expected = this.last ? this.last.seq + 1 : this.#whole ? 1 : event.seq;
    if (event.seq > expected) this.#missing.push({ first: expected, last: event.seq - 1 });
    this.#last = { event, rightHash };
    if (this.#missing.length > PENDING_RANGES_MAX) findings.push(...this.end());
    return findings;
  }

  /** Reports the ranges that are still missing. */
  end(): Finding[] {
    const missing = this.#missing;
    this.#missing = [];
    return missing.map(({ first, last }) => {
      const events = first === last ? `event ${first} is` : `events ${first} to ${last} are`;
      const code = first === 1 && this.#whole ? 'chain_headless' : 'events_missing';
      return finding(code, this.#chain, first, `${this.#chain}: ${events} missing`);
    });
  }

  #link(event: AuditEvent): Finding[] {
    const last = this.#last;
    if (!last) {
      const begins = event.seq === 1 && event.previousHash !== GENESIS_HASH;
      return begins ? [this.#finding('link_broken', 1, 'is the first, but links to an event before it')] : [];
    }
    if (event.seq !== last.event.seq + 1) return [];
    const findings: Finding[] = [];
    // A changed event was reported already. Its successor still links to the original content.
    if (event.previousHash !== last.event.hash && event.previousHash !== last.rightHash) {
      findings.push(this.#finding('link_broken', event.seq, `does not link to event ${last.event.seq}`));
    }
    if (event.epoch < last.event.epoch || event.era < last.event.era) {
      const text = `is of epoch ${event.epoch}, era ${event.era}, after one of epoch ${last.event.epoch}, era ${last.event.era}`;
      findings.push(this.#finding('epoch_backwards', event.seq, text));
    }
    return findings;
  }

  #outOfPlace(event: AuditEvent, last: AuditEvent): Finding {
    const missed = this.#missing.some((range) => range.first <= event.seq && event.seq <= range.last);
    if (!missed) return this.#finding('event_duplicated', event.seq, 'appears again');
    this.#missing = this.#missing.flatMap((range) => without(range, event.seq));
    return this.#finding('events_reordered', event.seq, `appears after event ${last.seq}`);
  }

  #finding(code: FindingCode, seq: number, text: string): Finding {
    return finding(code, this.#chain, seq, `${this.#chain}: event ${seq} ${text}`);
  }
}

function without(range: Range, seq: number): Range[] {
  if (seq < range.first || seq > range.last) return [range];
  const parts = [
    { first: range.first, last: seq - 1 },
    { first: seq + 1, last: range.last },
  ];
  return parts.filter(({ first, last }) => first <= last);
}
