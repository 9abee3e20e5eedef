const TOKEN_MEMBER = Buffer.from('"token":"');
const QUOTE = 0x22;

/** The lease token in an answer's JSON, found without reading the rest; empty when there is none. */
export function tokenIn(body: Buffer): string {
  const member = body.indexOf(TOKEN_MEMBER);
  if (member === -1) return '';
  const start = member + TOKEN_MEMBER.length;
  return body.toString('latin1', start, body.indexOf(QUOTE, start));
}

/** A lease that is renewed again and again, each time with the newest token. */
export class BeatingLease {
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

/** Deals the leases out: no two connections renew the same one. */
export class LeaseTokens {
  readonly #hands: BeatingLease[][];
  readonly #turns: number[];

  constructor({ leaseIds, connections }: { leaseIds: readonly string[]; connections: number }) {
    if (leaseIds.length < connections) throw new Error(`${leaseIds.length} leases are too few for ${connections}`);
    this.#hands = Array.from({ length: connections }, () => []);
    leaseIds.forEach((id, index) => void this.#hands[index % connections]?.push(new BeatingLease(id)));
    this.#turns = this.#hands.map(() => 0);
  }

  next(connection: number): BeatingLease {
    const hand = this.#hands[connection] as BeatingLease[];
    const turn = this.#turns[connection] as number;
    this.#turns[connection] = (turn + 1) % hand.length;
    return hand[turn] as BeatingLease;
  }
}
