import type { ManagedLease } from '@evergrant/client/leases/managed-lease';
import type { Mint } from '../actors/fake-signer';
import type { HttpCall } from '../actors/license-server';
import { BEGINNING_MS } from '../topology/host';

/** The promises, each by the name that a violation is told under. */
export const PROMISES = {
  'seat-sold-twice': 'the seats that holders believe to hold never exceed the pool',
  'lease-lost': 'every acknowledged lease that was not given back is honoured while its holder may hold it',
  'given-back-after-release': 'a lease that a region has taken back is not given by it to anybody again',
  'two-regions-in-an-epoch': 'at most one region grants in an epoch',
  'granted-after-the-end': 'nothing is granted in an epoch after a newer one has opened',
  'failover-of-the-living': 'no failover while application or database were up and could be seen by everybody',
  'failover-against-evidence':
    'no failover while the witness, the follower or the authority store knew the region alive',
  'failover-to-nobody': 'no failover to a region that cannot take over',
  'failover-in-haste': 'no failover before both were down for the whole window',
  'nothing-lost-by-plan': 'a hand-over of a living region holds nothing back',
  'events-lost-untold': 'what is lost of the audit log is declared in it before anybody signs what follows',
  'log-contradicted': 'nobody finds the audit log set back, or another event in place of one that was signed',
  'not-converged': 'when everything is mended, everybody is served within a bound',
  'no-fault-of-ours': 'no part of the product fails by a mistake of its own',
} as const;

export type PromiseName = keyof typeof PROMISES;

export class BrokenPromise extends Error {
  readonly promise: PromiseName;

  constructor(promise: PromiseName, detail: string) {
    super(`${promise}: ${detail}`);
    this.promise = promise;
  }
}

interface Holder {
  readonly name: string;
  heldSeats(poolId: number): number;
}

export interface LedgerOptions {
  readonly mint: Mint;
  readonly nowMs: () => number;
  readonly holders: () => Iterable<Holder>;
  readonly capacityOf: (poolId: number) => number;
  readonly leaseTtlMs: number;
  readonly policy: { readonly authorityLeaseMs: number; readonly skewMs: number };
  /** What a region's database clock says, in milliseconds since 1970. */
  readonly databaseNowMs: (region: string) => number | undefined;
  readonly tell: (who: string, text: string) => void;
}

interface Opening {
  readonly epoch: number;
  /** Virtual times. */
  readonly opensAtMs: number;
  readonly lapsedAtMs: number;
}

/** What was answered to whom, kept apart from everything that the product keeps; a broken promise is thrown here. */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #regionOfEpoch = new Map<number, string>();
  readonly #openings: Opening[] = [];
  readonly #releaseAsked = new Set<string>();
  /** The region that granted a lease last. */
  readonly #granted = new Map<string, string>();
  readonly #released = new Map<string, { readonly region: string; readonly atMs: number }>();
  broken: BrokenPromise | undefined;
  grants = 0;
  adoptions = 0;
  turnedAway = 0;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** Virtual time. */
  get nowMs(): number {
    return this.#options.nowMs();
  }

  breaks(promise: PromiseName, detail: string): void {
    if (this.broken) return;
    this.broken = new BrokenPromise(promise, detail);
    this.#options.tell('ledger', `BROKEN ${this.broken.message}`);
  }

  /** The authority store has given an epoch its opening time. */
  opened(epoch: number, opensAtMs: number, lapsedAtMs: number): void {
    this.#openings.push({ epoch, opensAtMs, lapsedAtMs });
  }

  /** Its holder wants to give it back: from now on nobody promises anything about it. */
  releaseAsked(leaseId: string): void {
    this.#releaseAsked.add(leaseId);
  }

  isReleaseAsked(leaseId: string): boolean {
    return this.#releaseAsked.has(leaseId);
  }

  /** A server has answered; whether the answer arrives is another matter. */
  answered(answer: {
    readonly call: HttpCall & { readonly arrivedAtMs: number };
    readonly status: number;
    readonly body: Readonly<Record<string, unknown>>;
    readonly region: string;
    readonly server: string;
  }): void {
    const { call, status, body, region, server } = answer;
    if (call.kind === 'release' && status === 204 && this.#isGivenBack(call, region))
      this.#released.set(call.leaseId ?? '', { region, atMs: this.#options.nowMs() });
    if ((status === 200 || status === 201) && body.token !== undefined) this.#acknowledged(answer);
    const ended = status === 410 || (status === 404 && body.code === 'lease_not_found');
    if (call.kind === 'heartbeat' && ended) {
      this.turnedAway += 1;
      this.#options.tell(server, `turns ${call.leaseId} away: ${body.code}`);
      this.#checkTurnedAway(call, String(body.code), region);
    }
  }

  /** A holder has just learned that it holds a lease. */
  held(holder: Holder, keeper: ManagedLease, poolId: number): void {
    let seats = 0;
    for (const each of this.#options.holders()) seats += each.heldSeats(poolId);
    const capacity = this.#options.capacityOf(poolId);
    if (seats <= capacity) return;
    this.breaks('seat-sold-twice', `${seats} of ${capacity} seats are held since ${holder.name} holds ${keeper.id}`);
  }

  #acknowledged({
    call,
    body,
    region,
    server,
  }: {
    readonly call: HttpCall & { readonly arrivedAtMs: number };
    readonly body: Readonly<Record<string, unknown>>;
    readonly region: string;
    readonly server: string;
  }): void {
    this.grants += 1;
    const epoch = Number(body.epoch);
    const before = this.#regionOfEpoch.get(epoch);
    if (before !== undefined && before !== region) {
      this.breaks('two-regions-in-an-epoch', `${before} and ${region} granted in epoch ${epoch}`);
    }
    this.#regionOfEpoch.set(epoch, region);
    this.#granted.set(String(body.leaseId), region);
    this.#checkReleased(String(body.leaseId), call.arrivedAtMs, region);
    const newer = this.#openings.find((opening) => opening.epoch > epoch && opening.opensAtMs <= this.#options.nowMs());
    if (newer) {
      this.breaks('granted-after-the-end', `${server} granted in epoch ${epoch} after epoch ${newer.epoch} had opened`);
    }
  }

  /** Who only left a line has given nothing back; nor has anybody of what the region could not know. */
  #isGivenBack({ leaseId = '', body }: HttpCall, region: string): boolean {
    return this.#granted.get(leaseId) === region || this.#options.mint.read(body?.token) !== undefined;
  }

  /** What the region took back before it was asked; a region that is lost since may take its word along. */
  #checkReleased(leaseId: string, arrivedAtMs: number, region: string): void {
    const released = this.#released.get(leaseId);
    if (released?.region !== region || released.atMs >= arrivedAtMs) return;
    if (this.#openings.some(({ opensAtMs }) => opensAtMs > released.atMs && opensAtMs <= this.#options.nowMs())) return;
    this.breaks('given-back-after-release', `${leaseId} was given back to ${region} and then granted there`);
  }

  /** May a region say that this lease is over? */
  #checkTurnedAway({ leaseId = '', body }: HttpCall, code: string, region: string): void {
    const claim = this.#options.mint.read(body?.token)?.claim;
    const databaseNowMs = this.#options.databaseNowMs(region);
    if (!claim || this.#releaseAsked.has(leaseId) || databaseNowMs === undefined) return;
    const { skewMs } = this.#options.policy;
    const leftMs = claim.expiresAtMs - databaseNowMs;
    if (leftMs > skewMs) {
      this.breaks('lease-lost', `${leaseId} was turned away (${code}) with ${Math.round(leftMs)} ms left of its token`);
      return;
    }
    if (this.#isWaitedFor(claim)) {
      this.breaks('lease-lost', `${leaseId} was turned away (${code}) while its region's unknown grants were awaited`);
    }
  }

  /** Its token outlived the last word of every region that was lost since, and the first of them is still waited for. */
  #isWaitedFor({ epoch, expiresAtMs }: { epoch: number; expiresAtMs: number }): boolean {
    const { leaseTtlMs, policy, nowMs } = this.#options;
    const since = this.#openings.filter((opening) => opening.epoch > epoch);
    const [first] = since;
    if (!first) return false;
    const lastWordMs = Math.max(...since.map((opening) => Math.min(opening.lapsedAtMs, opening.opensAtMs)));
    const outlived = expiresAtMs - BEGINNING_MS > lastWordMs + 2 * policy.skewMs;
    const untilMs = first.opensAtMs + leaseTtlMs + policy.authorityLeaseMs;
    return outlived && nowMs() < untilMs;
  }
}
