import type { AuditEvent } from './event';
import { type Finding, finding } from './finding';

/** The seat counts that the database reports for a pool: from the rows of the pool, and from its event counters. */
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

/** The daily counters that the database keeps for reports. */
export interface DailyRecords {
  readonly usage: readonly DayAccount[];
  readonly denials: readonly DenialsAccount[];
}

interface Counted {
  seatsTaken: number;
  readonly peaks: Map<string, number>;
}

/** Counts seats and denials of each pool from its events, and compares the counts with those of the database. */
export class SeatAccounting {
  readonly #accounts: ReadonlyMap<string, PoolAccount>;
  readonly #counted = new Map<string, Counted>();
  readonly #denials = new Map<string, DenialsAccount>();

  constructor(accounts: readonly PoolAccount[]) {
    this.#accounts = new Map(accounts.map((account) => [account.chain, account]));
  }

  /** The first and the last day with any count; undefined when there is none. */
  get days(): { readonly first: string; readonly last: string } | undefined {
    const ofSeats = [...this.#counted.values()].flatMap(({ peaks }) => [...peaks.keys()]);
    const ofDenials = [...this.#denials.values()].map(({ day }) => day);
    const days = [...ofSeats, ...ofDenials].sort();
    const [first] = days;
    const last = days.at(-1);
    return first === undefined || last === undefined ? undefined : { first, last };
  }

  /** Events must be added in the order of their chain. */
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

  /** @param firstOpenDay the first day whose counters may have grown since the events were read */
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
        yield mismatch(chain, seq, `its rows count ${seatsTaken} seats taken, its events count ${counted}`);
      }
      if (seatsTakenByLog !== counted) {
        const text = `its usage counters end with ${seatsTakenByLog} seats taken, its events with ${counted}`;
        yield mismatch(chain, seq, text);
      }
    }
  }

  #checkUsage({ chain, day, seatsPeak }: DayAccount, firstOpenDay: string): Finding[] {
    const peak = this.#counted.get(chain)?.peaks.get(day);
    if (day >= firstOpenDay || peak === undefined || peak === seatsPeak) return [];
    const text = `its usage counters have a peak of ${seatsPeak} on ${day}, its events ${peak}`;
    return [mismatch(chain, null, text)];
  }

  /** Both sides must match. On an open day the counters may be ahead of the events. */
  *#checkDenials(recorded: readonly DenialsAccount[], firstOpenDay: string): Generator<Finding> {
    const byRecord = new Map(recorded.map((account) => [keyOf(account), account]));
    for (const [key, { chain, day, code }] of new Map([...byRecord, ...this.#denials])) {
      if (!this.#accounts.has(chain)) continue;
      const record = byRecord.get(key) ?? NO_DENIALS;
      const counted = this.#denials.get(key) ?? NO_DENIALS;
      const more = record.denials - counted.denials;
      const moreSeats = record.seatsAsked - counted.seatsAsked;
      if (day >= firstOpenDay ? more >= 0 && moreSeats >= 0 : more === 0 && moreSeats === 0) continue;
      const text = `its counters have ${sum(record)} denied with ${code} on ${day}, its events ${sum(counted)}`;
      yield mismatch(chain, null, text);
    }
  }
}

const NO_DENIALS = { denials: 0, seatsAsked: 0 };

const sum = ({ denials, seatsAsked }: typeof NO_DENIALS): string => `${denials} checkouts of ${seatsAsked} seats`;

const keyOf = ({ chain, day, code }: DenialsAccount): string => `${day} ${chain} ${code}`;

const dayOf = (at: string): string => at.slice(0, 10);

function mismatch(chain: string, seq: number | null, text: string): Finding {
  return finding('accounting_mismatch', chain, seq, `${chain}: ${text}`);
}

function seatsTakenIn(body: string): number | undefined {
  if (!body.includes('"seatsTaken"')) return undefined;
  const { seatsTaken } = JSON.parse(body) as { seatsTaken?: unknown };
  return typeof seatsTaken === 'number' ? seatsTaken : undefined;
}
