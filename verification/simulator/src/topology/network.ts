import type { Random } from '../time/random';
import type { Clockwork } from '../time/virtual-clock';
import type { Host } from './host';

/** Where something stands. `field`: customers everywhere; `near-oregon`: customers who share Oregon's lines. */
export type Place = 'oregon' | 'virginia' | 'ohio' | 'edge' | 'field' | 'near-oregon';

export const PLACES: readonly Place[] = ['oregon', 'virginia', 'ohio', 'edge', 'field', 'near-oregon'];

/** One direction. Faults may overlap, so they are counted. */
export interface Link {
  cuts: number;
  /** Messages take up to so much longer. */
  slowMs: number;
  lossShare: number;
  twiceShare: number;
}

type Links = ReadonlyMap<Place, ReadonlyMap<Place, Link>>;

function newLinks(): Links {
  const still = (): Link => ({ cuts: 0, slowMs: 0, lossShare: 0, twiceShare: 0 });
  return new Map(PLACES.map((from) => [from, new Map(PLACES.map((to) => [to, still()]))]));
}

export interface Question<T> {
  readonly timeoutMs: number;
  readonly late: () => T;
  readonly serve: (answer: (value: T) => void) => void;
  readonly promptly?: ((value: T) => boolean) | undefined;
}

const WITHIN_MS = { min: 0.2, max: 1.5 };
const BETWEEN_MS = { min: 25, max: 45 };

export class Network {
  readonly #clockwork: Clockwork;
  readonly #random: Random;
  readonly #links: Links;
  /** Those who ask are called in time when nobody answers. */
  readonly #isPunctual: boolean;
  /** When somebody was asked or answered last who does not only do what is done always; in lived time. */
  busyAtLivedMs = 0;

  constructor(clockwork: Clockwork, random: Random, beside?: Network) {
    this.#clockwork = clockwork;
    this.#random = random;
    this.#links = beside === undefined ? newLinks() : beside.#links;
    this.#isPunctual = beside !== undefined;
  }

  /** The same lines, for messages whose delays change nobody else's luck. */
  beside(random: Random): Network {
    return new Network(this.#clockwork, random, this);
  }

  link(from: Place, to: Place): Link {
    const link = this.#links.get(from)?.get(to);
    if (link === undefined) throw new RangeError(`no link from ${from} to ${to}`);
    return link;
  }

  isOpen(from: Place, to: Place): boolean {
    return this.link(from, to).cuts === 0;
  }

  /** Open in both directions, and nothing gets lost. */
  isClear(one: Place, other: Place): boolean {
    return [this.link(one, other), this.link(other, one)].every(
      ({ cuts, lossShare, slowMs }) => cuts === 0 && lossShare === 0 && slowMs === 0,
    );
  }

  delayMs(from: Place, to: Place): number {
    const { min, max } = from === to ? WITHIN_MS : BETWEEN_MS;
    const { slowMs } = this.link(from, to);
    return this.#random.between(min, max) + (slowMs === 0 ? 0 : this.#random.next() * slowMs);
  }

  /** A message arrives after its delay, or never, or twice. */
  send(from: Place, to: Place, arrive: () => void): void {
    const { cuts, lossShare, twiceShare } = this.link(from, to);
    if (cuts > 0) return;
    if (lossShare > 0 && this.#random.chance(lossShare)) return;
    this.#clockwork.after(this.delayMs(from, to), arrive);
    if (twiceShare > 0 && this.#random.chance(twiceShare)) this.#clockwork.after(this.delayMs(from, to), arrive);
  }

  #mayLose(from: Place, to: Place): boolean {
    const { cuts, lossShare, slowMs, twiceShare } = this.link(from, to);
    return cuts > 0 || lossShare > 0 || slowMs > 0 || twiceShare > 0;
  }

  /**
   * A question from one process to a place. `serve` is called when it arrives there (twice, perhaps) and answers when it
   * likes. Resolves to `late` when no answer came in time. `promptly`: next door the answer takes no time at all, if it is
   * given at once; that saves a step where nothing can happen in between that matters.
   */
  ask<T>(caller: Host, to: Place, { timeoutMs, late, serve, promptly }: Question<T>): Promise<T> {
    return new Promise((resolve) => {
      const { life, place } = caller;
      let cancel: (() => void) | undefined;
      let answered = false;
      let asking = true;
      let settled = false;
      const settle = (value: T): void => {
        if (settled) return;
        settled = true;
        caller.asking -= 1;
        if (!caller.isRoutine) this.busyAtLivedMs = this.#clockwork.livedMs;
        resolve(value);
      };
      caller.asking += 1;
      const answer = (value: T): void => {
        answered = !this.#mayLose(to, place);
        if (answered && asking && promptly?.(value)) {
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
      // Next door a question arrives as it is asked; the answer takes the time of both.
      if (place === to && !this.#mayLose(place, to)) serve(answer);
      else this.send(place, to, () => serve(answer));
      asking = false;
      if (answered) return;
      const { after } = this.#isPunctual ? caller.punctualTimers : caller.timers;
      cancel = after(timeoutMs, () => settle(late()));
    });
  }

  /** The same, to one process: whoever is down refuses at once, whoever is paused hears of it when it wakes. */
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
