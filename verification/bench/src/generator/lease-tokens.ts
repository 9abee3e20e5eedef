const TOKEN_MEMBER = Buffer.from('"token":"');
const QUOTE = 0x22;

/** Extracts the lease token from an answer without parsing the JSON; empty if there is none. */
export function tokenIn(body: Buffer): string {
  const member = body.indexOf(TOKEN_MEMBER);
  if (member === -1) return '';
  const start = member + TOKEN_MEMBER.length;
  return body.toString('latin1', start, body.indexOf(QUOTE, start));
}

/** A lease that is renewed repeatedly, each time with the newest token. */
export class BenchRenewedLease {
  readonly leaseId: string;
  readonly heartbeatPath: string;
  /** The newest token, empty before the first renewal. */
  token = '';

  constructor(leaseId: string) {
    this.leaseId = leaseId;
    this.heartbeatPath = `/v1/leases/${leaseId}/heartbeat`;
  }

  get body(): string {
    return this.token === '' ? '{}' : `{"token":"${this.token}"}`;
  }

  remember(answer: Buffer): void {
    this.token = tokenIn(answer);
  }
}

/** Assigns the leases to connections; no two connections renew the same lease. */
export class BenchLeaseTokens {
  readonly #leasesOf: BenchRenewedLease[][];
  readonly #turns: number[];

  constructor({ leaseIds, connections }: { leaseIds: readonly string[]; connections: number }) {
    if (leaseIds.length < connections) throw new Error(`${leaseIds.length} leases are too few for ${connections}`);
    this.#leasesOf = Array.from({ length: connections }, () => []);
    leaseIds.forEach((id, index) => void this.#leasesOf[index % connections]?.push(new BenchRenewedLease(id)));
    this.#turns = this.#leasesOf.map(() => 0);
  }

  next(connection: number): BenchRenewedLease {
    const hand = this.#leasesOf[connection] as BenchRenewedLease[];
    const turn = this.#turns[connection] as number;
    this.#turns[connection] = (turn + 1) % hand.length;
    return hand[turn] as BenchRenewedLease;
  }
}
