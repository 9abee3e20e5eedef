import type { TransportResult } from './call';

export interface AddressBookOptions {
  /** Where to ask, the preferred first. */
  readonly addresses: readonly string[];
  /** Where a server may send this client besides. */
  readonly trusted: readonly string[];
  /** Asks one address for its status; never rejects. */
  readonly fetchStatus: (address: string) => Promise<TransportResult>;
}

interface AddressCandidate {
  readonly address: string;
  readonly rank: number;
}

/** @throws TypeError when it is not an http or https address. */
function originOf(address: string): string {
  if (URL.canParse(address)) {
    const { protocol, origin } = new URL(address);
    if (protocol === 'http:' || protocol === 'https:') return origin;
  }
  throw new TypeError(`not an http address: ${address}`);
}

const UNREACHABLE = 3;

function rankOf(answer: TransportResult): number {
  if (answer.kind === 'no_response' || answer.status >= 500) return UNREACHABLE;
  return answer.body.granting === true ? 0 : 1;
}

/**
 * Which address to talk to. All are considered together: one that grants before one that does not, the quicker before
 * the slower.
 *
 * The bearer token goes to the configured addresses and to those explicitly trusted, to no others: an answer that names
 * another address may come from anybody who managed to answer.
 */
export class AddressBook {
  readonly #addresses: readonly string[];
  readonly #allowed: ReadonlySet<string>;
  readonly #fetchStatus: (address: string) => Promise<TransportResult>;
  #current: string | undefined;
  #choosing: Promise<string> | undefined;

  /** @throws TypeError when there is no address, or one that is not http(s). */
  constructor({ addresses, trusted, fetchStatus }: AddressBookOptions) {
    this.#addresses = [...new Set(addresses.map(originOf))];
    if (this.#addresses.length === 0) throw new TypeError('a license client needs at least one address');
    this.#allowed = new Set([...this.#addresses, ...trusted.map(originOf)]);
    this.#fetchStatus = fetchStatus;
    // With one address there is nothing to choose.
    this.#current = this.#addresses.length === 1 ? this.#addresses[0] : undefined;
  }

  /** The address in use, chosen among all when there is none. Calls at the same time share one choice. */
  async current(): Promise<string> {
    if (this.#current) return this.#current;
    this.#choosing ??= this.#choose().finally(() => {
      this.#choosing = undefined;
    });
    return this.#choosing;
  }

  /** This address did not serve: the next call chooses anew. */
  leave(address: string): void {
    if (this.#current !== address) return;
    this.#current = this.#addresses.length === 1 ? this.#addresses[0] : undefined;
  }

  /**
   * A server said where to go.
   *
   * @returns `moved`, `already-there`, or `not-trusted` when that address may not see the token.
   */
  follow(told: string): 'moved' | 'already_there' | 'not_trusted' {
    const origin = URL.canParse(told) ? new URL(told).origin : undefined;
    if (origin === undefined || !this.#allowed.has(origin)) return 'not_trusted';
    if (this.#current === origin) return 'already_there';
    this.#current = origin;
    return 'moved';
  }

  /** Settles as soon as one address says that it grants, so that a hanging one delays nobody. */
  async #choose(): Promise<string> {
    const asked = this.#addresses.map(async (address): Promise<AddressCandidate> => {
      return { address, rank: rankOf(await this.#fetchStatus(address)) };
    });
    const granting = asked.map(async (candidate) => {
      const settled = await candidate;
      if (settled.rank === 0) return settled;
      throw new Error('not granting');
    });
    const best = await Promise.any(granting).catch(() => this.#bestReachable(asked));
    this.#current = best.address;
    return best.address;
  }

  async #bestReachable(asked: readonly Promise<AddressCandidate>[]): Promise<AddressCandidate> {
    const candidates = await Promise.all(asked);
    // The sort is stable: among equals the configured order decides.
    return [...candidates].sort((left, right) => left.rank - right.rank)[0] as AddressCandidate;
  }
}
