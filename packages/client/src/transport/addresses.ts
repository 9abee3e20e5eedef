import type { TransportResult } from './call';

export interface AddressBookOptions {
  /** Configured addresses, the preferred one first. */
  readonly addresses: readonly string[];
  /** Further addresses that a server may redirect to. */
  readonly trusted: readonly string[];
  /** Requests the status of one address. Never rejects. */
  readonly fetchStatus: (address: string) => Promise<TransportResult>;
}

interface AddressCandidate {
  readonly address: string;
  readonly rank: number;
}

/** @throws TypeError for an address that is not http or https */
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
 * Selects the server address. A granting address is preferred to one that does not grant, and a faster one to a slower one.
 *
 * The bearer token is sent only to configured and trusted addresses: a redirect to another address may come from an
 * attacker.
 */
export class AddressBook {
  readonly #addresses: readonly string[];
  readonly #allowed: ReadonlySet<string>;
  readonly #fetchStatus: (address: string) => Promise<TransportResult>;
  #current: string | undefined;
  #choosing: Promise<string> | undefined;

  /** @throws TypeError when there is no address, or one that is not http(s) */
  constructor({ addresses, trusted, fetchStatus }: AddressBookOptions) {
    this.#addresses = [...new Set(addresses.map(originOf))];
    if (this.#addresses.length === 0) throw new TypeError('a license client needs at least one address');
    this.#allowed = new Set([...this.#addresses, ...trusted.map(originOf)]);
    this.#fetchStatus = fetchStatus;
    // A single address needs no selection.
    this.#current = this.#addresses.length === 1 ? this.#addresses[0] : undefined;
  }

  /** Returns the address in use, or selects one. Concurrent calls share one selection. */
  async current(): Promise<string> {
    if (this.#current) return this.#current;
    this.#choosing ??= this.#choose().finally(() => {
      this.#choosing = undefined;
    });
    return this.#choosing;
  }

  /** Reports that an address failed: the next call selects an address again. */
  leave(address: string): void {
    if (this.#current !== address) return;
    this.#current = this.#addresses.length === 1 ? this.#addresses[0] : undefined;
  }

  /**
   * Follows the redirect of a server.
   *
   * @returns `not_trusted` when the address may not receive the token
   */
  follow(address: string): 'moved' | 'already_there' | 'not_trusted' {
    const origin = URL.canParse(address) ? new URL(address).origin : undefined;
    if (origin === undefined || !this.#allowed.has(origin)) return 'not_trusted';
    if (this.#current === origin) return 'already_there';
    this.#current = origin;
    return 'moved';
  }

  /** Resolves as soon as one address reports that it grants, so that a hanging address causes no delay. */
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
    // The sort is stable: equal ranks keep the configured order.
    return [...candidates].sort((left, right) => left.rank - right.rank)[0] as AddressCandidate;
  }
}
