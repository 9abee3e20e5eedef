import type { Random } from '../time/random';
import type { VirtualClock } from '../time/virtual-clock';
import type { Host } from './host';
import { PLACES, type SimulatedPlace } from './place';

/** One direction between two places. Overlapping faults are added. */
export interface Link {
  cuts: number;
  /** Largest additional delay. */
  slowMs: number;
  lossShare: number;
  twiceShare: number;
}

type Links = ReadonlyMap<SimulatedPlace, ReadonlyMap<SimulatedPlace, Link>>;

function newLinks(): Links {
  const clear = (): Link => ({ cuts: 0, slowMs: 0, lossShare: 0, twiceShare: 0 });
  return new Map(PLACES.map((from) => [from, new Map(PLACES.map((to) => [to, clear()]))]));
}

export interface Request<T> {
  readonly timeoutMs: number;
  readonly late: () => T;
  readonly serve: (answer: (value: T) => void) => void;
  readonly promptly?: ((value: T) => boolean) | undefined;
}

const WITHIN_MS = { min: 0.2, max: 1.5 };
const BETWEEN_MS = { min: 25, max: 45 };

export class Network {
  readonly #virtualClock: VirtualClock;
  readonly #random: Random;
  readonly #links: Links;
  /** Time-outs are never late. */
  readonly #isPunctual: boolean;
  /** Active time of the last request or answer of a process that is not routine. */
  busyAtActiveMs = 0;

  constructor(virtualClock: VirtualClock, random: Random, beside?: Network) {
    this.#virtualClock = virtualClock;
    this.#random = random;
    this.#links = beside === undefined ? newLinks() : beside.#links;
    this.#isPunctual = beside !== undefined;
  }

  /** The same links with an independent random sequence. */
  beside(random: Random): Network {
    return new Network(this.#virtualClock, random, this);
  }

  link(from: SimulatedPlace, to: SimulatedPlace): Link {
    const link = this.#links.get(from)?.get(to);
    if (link === undefined) throw new RangeError(`no link from ${from} to ${to}`);
    return link;
  }

  isOpen(from: SimulatedPlace, to: SimulatedPlace): boolean {
    return this.link(from, to).cuts === 0;
  }

  /** Open in both directions without loss or delay. */
  isClear(one: SimulatedPlace, other: SimulatedPlace): boolean {
    return [this.link(one, other), this.link(other, one)].every(
      ({ cuts, lossShare, slowMs }) => cuts === 0 && lossShare === 0 && slowMs === 0,
    );
  }

  delayMs(from: SimulatedPlace, to: SimulatedPlace): number {
    const { min, max } = from === to ? WITHIN_MS : BETWEEN_MS;
    const { slowMs } = this.link(from, to);
    return this.#random.between(min, max) + (slowMs === 0 ? 0 : this.#random.next() * slowMs);
  }

  /** Sends a message, which arrives once, twice or never. */
  send(from: SimulatedPlace, to: SimulatedPlace, arrive: () => void): void {
    const { cuts, lossShare, twiceShare } = this.link(from, to);
    if (cuts > 0) return;
    if (lossShare > 0 && this.#random.chance(lossShare)) return;
    this.#virtualClock.after(this.delayMs(from, to), arrive);
    if (twiceShare > 0 && this.#random.chance(twiceShare)) this.#virtualClock.after(this.delayMs(from, to), arrive);
  }

  #mayLose(from: SimulatedPlace, to: SimulatedPlace): boolean {
    const { cuts, lossShare, slowMs, twiceShare } = this.link(from, to);
    return cuts > 0 || lossShare > 0 || slowMs > 0 || twiceShare > 0;
  }

  /**
   * Sends a request from a process to a place. `serve` is called on each arrival, which may be twice. Resolves to `late`
   * without an answer in time. Inside one place an immediate answer for which `promptly` returns true takes no time: that
   * saves steps between which nothing relevant can happen.
   */
  ask<T>(caller: Host, to: SimulatedPlace, { timeoutMs, late, serve, promptly }: Request<T>): Promise<T> {
    return new Promise((resolve) => {
      const { life, place } = caller;
      let cancel: (() => void) | undefined;
      let answered = false;
      let sending = true;
      let settled = false;
      const settle = (value: T): void => {
        if (settled) return;
        settled = true;
        caller.pendingRequests -= 1;
        if (!caller.isRoutine) this.busyAtActiveMs = this.#virtualClock.elapsedActiveMs;
        resolve(value);
      };
      caller.pendingRequests += 1;
      const answer = (value: T): void => {
        answered = !this.#mayLose(to, place);
        if (answered && sending && promptly?.(value)) {
          settle(value);
          return;
        }
        this.send(to, place, () => {
          caller.arrive(life, () => {
            cancel?.();
            settle(value);
          });
        });
      };
      // Inside one place a request arrives at once; its answer takes the time of both.
      if (place === to && !this.#mayLose(place, to)) serve(answer);
      else this.send(place, to, () => serve(answer));
      sending = false;
      if (answered) return;
      const { after } = this.#isPunctual ? caller.punctualTimers : caller.timers;
      cancel = after(timeoutMs, () => settle(late()));
    });
  }

  /** Sends a request to one process. A process that is down refuses at once; a paused one answers when it resumes. */
  askHost<T>(
    caller: Host,
    target: Host,
    terms: { timeoutMs: number; late: T; refused: T; serve: (answer: (value: T) => void) => void },
  ): Promise<T> {
    const { timeoutMs, late, refused, serve } = terms;
    return this.ask(caller, target.place, {
      timeoutMs,
      late: () => late,
      serve: (answer) => {
        if (target.state === 'down') answer(refused);
        else target.arrive(target.life, () => serve(answer));
      },
    });
  }
}
