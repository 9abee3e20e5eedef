import type { AuditEvent } from './event';
import { type Finding, finding } from './finding';

/** How the database stands by its own account: the rows of a pool, and what it keeps of its events. */
export interface PoolAccount {
  readonly chain: string;
  readonly seq: number;
  readonly seatsTaken: number;
  readonly seatsTakenByLog: number;
}

export interface DayAccount {
  readonly chain: string;
  /** UTC, as 2026-11-22. */
  readonly day: string;
  readonly seatsPeak: number;
}

export interface DenialsAccount {
  readonly chain: string;
  /** UTC, as 2026-11-22. */
  readonly day: string;
  readonly code: string;
  readonly denials: number;
  readonly seatsAsked: number;
}

/** What the database keeps of its events for reports. */
export interface DailyRecords {
  readonly usage: readonly DayAccount[];
  readonly denials: readonly DenialsAccount[];
}

interface Counted {
  seatsTaken: number;
  readonly peaks: Map<string, number>;
}

/** Counts the seats and the denials of each pool from its events alone, to be held against what the database says of itself. */
export class SeatAccounting {
  readonly #accounts: ReadonlyMap<string, PoolAccount>;
  readonly #counted = new Map<string, Counted>();
  readonly #denials = new Map<string, DenialsAccount>();

  constructor(accounts: readonly PoolAccount[]) {
    this.#accounts = new Map(accounts.map((account) => [account.chain, account]));
  }

  /** The days on which anything was counted, the first and the last; undefined when there is none. */
  get days(): { readonly first: string; readonly last: string } | undefined {
    const ofSeats = [...this.#counted.values()].flatMap(({ peaks }) => [...peaks.keys()]);
    const ofDenials = [...this.#denials.values()].map(({ day }) => day);
    const days = [...ofSeats, ...ofDenials].sort();
    const [first] = days;
    const last = days.at(-1);
    return first === undefined || last === undefined ? undefined : { first, last };
  }

  /** Events in the order of their chain. */
  add(event: AuditEvent): void {
    const account = this.#accounts.get(event.chain);
    if (!account || event.seq > account.seq) return;
    if (event.kind === 'denied') this.#addDenial(event);
    else this.#addSeats(event);
  }

  #addSeats({ chain, at, body }: AuditEvent): void {
    const seatsTaken = seatsTakenIn(body);
    if (seatsTaken === undefined) return;
    const counted = this.#counted.get(chain) ?? { seatsTaken: 0, peaks: new Map<string, number>() };
    this.#counted.set(chain, counted);
    const day = dayOf(at);
    counted.peaks.set(day, Math.max(counted.peaks.get(day) ?? counted.seatsTaken, seatsTaken));
    counted.seatsTaken = seatsTaken;
  }

  #addDenial({ chain, at, body }: AuditEvent): void {
    const { code, seats } = JSON.parse(body) as { code?: unknown; seats?: unknown };
    const none = { chain, day: dayOf(at), code: String(code), denials: 0, seatsAsked: 0 };
    const before = this.#denials.get(keyOf(none)) ?? none;
    const seatsAsked = before.seatsAsked + (typeof seats === 'number' ? seats : 0);
    this.#denials.set(keyOf(none), { ...before, denials: before.denials + 1, seatsAsked });
  }

  /** `firstOpenDay`: the first of the days on which more may have come since the events were read. */
  check({ usage, denials }: DailyRecords, firstOpenDay: string): Finding[] {
    return [
      ...this.#checkPools(),
      ...usage.flatMap((account) => this.#checkUsage(account, firstOpenDay)),
      ...this.#checkDenials(denials, firstOpenDay),
    ];
  }

  *#checkPools(): Generator<Finding> {
    for (const { chain, seq, seatsTaken, seatsTakenByLog } of this.#accounts.values()) {
      const counted = this.#counted.get(chain)?.seatsTaken ?? 0;
      if (seatsTaken !== counted) {
        yield disagreement(chain, seq, `its rows count ${seatsTaken} seats taken, its events ${counted}`);
      }
      if (seatsTakenByLog !== counted) {
        const text = `its record of usage ends with ${seatsTakenByLog} seats taken, its events with ${counted}`;
        yield disagreement(chain, seq, text);
      }
    }
  }

  #checkUsage({ chain, day, seatsPeak }: DayAccount, firstOpenDay: string): Finding[] {
    const peak = this.#counted.get(chain)?.peaks.get(day);
    if (day >= firstOpenDay || peak === undefined || peak === seatsPeak) return [];
    const text = `its record of usage has a peak of ${seatsPeak} on ${day}, its events ${peak}`;
    return [disagreement(chain, null, text)];
  }

  /** What is recorded is in the events and the other way round; on a day that is open, more may be recorded by now. */
  *#checkDenials(recorded: readonly DenialsAccount[], firstOpenDay: string): Generator<Finding> {
    const byRecord = new Map(recorded.map((account) => [keyOf(account), account]));
    for (const [key, { chain, day, code }] of new Map([...byRecord, ...this.#denials])) {
      if (!this.#accounts.has(chain)) continue;
      const record = byRecord.get(key) ?? NO_DENIALS;
      const counted = this.#denials.get(key) ?? NO_DENIALS;
      const more = record.denials - counted.denials;
      const moreSeats = record.seatsAsked - counted.seatsAsked;
      if (day >= firstOpenDay ? more >= 0 && moreSeats >= 0 : more === 0 && moreSeats === 0) continue;
      const text = `its record has ${sum(record)} denied with ${code} on ${day}, its events ${sum(counted)}`;
      yield disagreement(chain, null, text);
    }
  }
}

const NO_DENIALS = { denials: 0, seatsAsked: 0 };

const sum = ({ denials, seatsAsked }: typeof NO_DENIALS): string => `${denials} checkouts of ${seatsAsked} seats`;

const keyOf = ({ chain, day, code }: DenialsAccount): string => `${day} ${chain} ${code}`;

const dayOf = (at: string): string => at.slice(0, 10);

function disagreement(chain: string, seq: number | null, text: string): Finding {
  return finding('accounting_mismatch', chain, seq, `${chain}: ${text}`);
}

function seatsTakenIn(body: string): number | undefined {
  if (!body.includes('"seatsTaken"')) return undefined;
  const { seatsTaken } = JSON.parse(body) as { seatsTaken?: unknown };
  return typeof seatsTaken === 'number' ? seatsTaken : undefined;
}
