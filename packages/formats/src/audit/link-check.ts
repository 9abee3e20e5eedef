import { type AuditEvent, GENESIS_HASH, hashOf } from './event';
import { type Finding, type FindingCode, finding } from './finding';

const RANGES_KEPT_MAX = 1_000;

interface Range {
  readonly first: number;
  readonly last: number;
}

/**
 * Follows one chain from event to event: the hash of each, its link to the one before, and its number. What is missing
 * is told at the end, because it may only stand in the wrong place.
 */
export class LinkCheck {
  readonly #chain: string;
  readonly #whole: boolean;
  #last: { readonly event: AuditEvent; readonly rightHash: string } | undefined;
  #missing: Range[] = [];

  /** `whole`: the chain is expected from its first event on; a section may begin anywhere. */
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
      const text = 'is not what was written: its content and its hash do not belong together';
      findings.push(this.#finding('event_changed', event.seq, text));
    }
    const expected = this.last ? this.last.seq + 1 : this.#whole ? 1 : event.seq;
    if (event.seq > expected) this.#missing.push({ first: expected, last: event.seq - 1 });
    this.#last = { event, rightHash };
    if (this.#missing.length > RANGES_KEPT_MAX) findings.push(...this.end());
    return findings;
  }

  /** What is missing for good. */
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
      return begins
        ? [this.#finding('link_broken', 1, 'is the first, and claims that another one came before it')]
        : [];
    }
    if (event.seq !== last.event.seq + 1) return [];
    const findings: Finding[] = [];
    // A changed event was told already, and what follows it still continues what had been written.
    if (event.previousHash !== last.event.hash && event.previousHash !== last.rightHash) {
      findings.push(
        this.#finding('link_broken', event.seq, `does not continue event ${last.event.seq} as it stands here`),
      );
    }
    if (event.epoch < last.event.epoch || event.era < last.event.era) {
      const text = `is of epoch ${event.epoch}, era ${event.era}, after one of epoch ${last.event.epoch}, era ${last.event.era}`;
      findings.push(this.#finding('epoch_backwards', event.seq, text));
    }
    return findings;
  }

  #outOfPlace(event: AuditEvent, last: AuditEvent): Finding {
    const missed = this.#missing.some((range) => range.first <= event.seq && event.seq <= range.last);
    if (!missed) return this.#finding('event_duplicated', event.seq, 'stands there once more');
    this.#missing = this.#missing.flatMap((range) => without(range, event.seq));
    return this.#finding('events_reordered', event.seq, `stands after event ${last.seq}`);
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
