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

interface Counted {
  seatsTaken: number;
  readonly peaks: Map<string, number>;
}

/** Counts the seats of each pool from its events alone, to be held against what the database says of itself. */
export class Books {
  readonly #accounts: ReadonlyMap<string, PoolAccount>;
  readonly #counted = new Map<string, Counted>();

  constructor(accounts: readonly PoolAccount[]) {
    this.#accounts = new Map(accounts.map((account) => [account.chain, account]));
  }

  /** The days on which anything was counted, the first and the last; undefined when there is none. */
  get days(): { readonly first: string; readonly last: string } | undefined {
    const days = [...this.#counted.values()].flatMap(({ peaks }) => [...peaks.keys()]).sort();
    const [first] = days;
    const last = days.at(-1);
    return first === undefined || last === undefined ? undefined : { first, last };
  }

  /** Events in the order of their chain. */
  add({ chain, seq, at, body }: AuditEvent): void {
    const account = this.#accounts.get(chain);
    if (!account || seq > account.seq) return;
    const seatsTaken = seatsTakenIn(body);
    if (seatsTaken === undefined) return;
    const counted = this.#counted.get(chain) ?? { seatsTaken: 0, peaks: new Map<string, number>() };
    this.#counted.set(chain, counted);
    const day = at.slice(0, 10);
    counted.peaks.set(day, Math.max(counted.peaks.get(day) ?? counted.seatsTaken, seatsTaken));
    counted.seatsTaken = seatsTaken;
  }

  /** `days`: what the database says of the days before `today`, on which more may come. */
  check(days: readonly DayAccount[], today: string): Finding[] {
    const findings: Finding[] = [];
    for (const { chain, seq, seatsTaken, seatsTakenByLog } of this.#accounts.values()) {
      const counted = this.#counted.get(chain)?.seatsTaken ?? 0;
      if (seatsTaken !== counted) {
        findings.push(disagreement(chain, seq, `its rows count ${seatsTaken} seats taken, its events ${counted}`));
      }
      if (seatsTakenByLog !== counted) {
        findings.push(
          disagreement(
            chain,
            seq,
            `its record of usage ends with ${seatsTakenByLog} seats taken, its events with ${counted}`,
          ),
        );
      }
    }
    for (const { chain, day, seatsPeak } of days) {
      const peak = this.#counted.get(chain)?.peaks.get(day);
      if (day < today && peak !== undefined && peak !== seatsPeak) {
        findings.push(
          disagreement(chain, null, `its record of usage has a peak of ${seatsPeak} on ${day}, its events ${peak}`),
        );
      }
    }
    return findings;
  }
}

function disagreement(chain: string, seq: number | null, text: string): Finding {
  return finding('books_disagree', chain, seq, `${chain}: ${text}`);
}

function seatsTakenIn(body: string): number | undefined {
  if (!body.includes('"seatsTaken"')) return undefined;
  const { seatsTaken } = JSON.parse(body) as { seatsTaken?: unknown };
  return typeof seatsTaken === 'number' ? seatsTaken : undefined;
}
