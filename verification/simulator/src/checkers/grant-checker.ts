import type { ManagedLease } from '@evergrant/client/leases/managed-lease';
import type { FakeSigner } from '../actors/fake-signer';
import type { HttpCall } from '../actors/http';
import { BEGINNING_MS } from '../topology/host';
import type { Violations } from './violations';

export interface Holder {
  readonly name: string;
  heldSeats(poolId: number): number;
}

export interface GrantCheckerOptions {
  readonly fakeSigner: FakeSigner;
  readonly violations: Violations;
  readonly nowMs: () => number;
  readonly holders: () => Iterable<Holder>;
  readonly capacityOf: (poolId: number) => number;
  readonly leaseTtlMs: number;
  readonly policy: { readonly authorityLeaseMs: number; readonly skewMs: number };
  /** A region's database clock, in milliseconds since 1970, and its offset from true time. */
  readonly databaseClock: (region: string) => { readonly nowMs: number; readonly aheadMs: number } | undefined;
  /** False when a fault has set the clock of the region's database. */
  readonly clockIsSteady: (region: string) => boolean;
  readonly record: (source: string, text: string) => void;
}

/**
 * Age that the authority record may have when an epoch is opened by it: the time-out of a call to the store, and the
 * longest reading of the database's clock.
 */
const RECORD_AGE_MS_MAX = 3_000 + 1_000;

interface Opening {
  readonly epoch: number;
  /** Virtual times. */
  readonly opensAtMs: number;
  readonly lapsedAtMs: number;
}

/** Records every answer apart from the product's own state, and checks grants, releases and rejected heartbeats. */
export class GrantChecker {
  readonly #options: GrantCheckerOptions;
  readonly #regionOfEpoch = new Map<number, string>();
  readonly #openings: Opening[] = [];
  readonly #releaseRequested = new Set<string>();
  /** The region that last granted each lease. */
  readonly #granted = new Map<string, string>();
  readonly #importedCapacity = new Map<number, number>();
  readonly #takenBack = new Map<string, { answeredAtMs: number | undefined; servedAgain: boolean }>();
  readonly #released = new Map<string, { readonly region: string; readonly atMs: number; readonly handover: number }>();
  /** By region and lease: the newest handover that was answered. */
  readonly #handovers = new Map<string, number>();
  grants = 0;
  adoptions = 0;
  rejected = 0;

  constructor(options: GrantCheckerOptions) {
    this.#options = options;
  }

  /** Virtual time. */
  get nowMs(): number {
    return this.#options.nowMs();
  }

  /** Called when the authority store has set an epoch's opening time. */
  opened(epoch: number, opensAtMs: number, lapsedAtMs: number): void {
    this.#openings.push({ epoch, opensAtMs, lapsedAtMs });
  }

  /** Called when a holder requests a release; the lease is no longer checked for loss. */
  releaseRequested(leaseId: string): void {
    this.#releaseRequested.add(leaseId);
  }

  isReleaseRequested(leaseId: string): boolean {
    return this.#releaseRequested.has(leaseId);
  }

  /** Called when a license file is imported. Whether it comes into force or not, the pool has no more seats than it says. */
  importRequested(poolId: number, capacity: number): void {
    this.#importedCapacity.set(poolId, Math.max(capacity, this.#importedCapacity.get(poolId) ?? 0));
  }

  /** Called when an administrator takes a lease back. */
  takeBackRequested(leaseId: string): void {
    if (!this.#takenBack.has(leaseId)) this.#takenBack.set(leaseId, { answeredAtMs: undefined, servedAgain: false });
  }

  /** Whether the lease no longer counts: it was taken back, and no region has served it since. */
  isTakenBack(leaseId: string): boolean {
    return this.#takenBack.get(leaseId)?.servedAgain === false;
  }

  /** Called when a server has answered, whether or not the answer arrives. */
  answered(answer: {
    readonly call: HttpCall & { readonly arrivedAtMs: number };
    readonly status: number;
    readonly body: Readonly<Record<string, unknown>>;
    readonly region: string;
    readonly server: string;
  }): void {
    const { call, status, body, region, server } = answer;
    if (call.kind === 'release' && status === 204) this.#recordReleased(call, region);
    const takenBack = this.#takenBack.get(call.leaseId ?? '');
    if (call.kind === 'take-back' && takenBack) takenBack.answeredAtMs ??= this.#options.nowMs();
    if ((status === 200 || status === 201) && body.token !== undefined) this.#acknowledged(answer);
    const ended = status === 410 || (status === 404 && body.code === 'lease_not_found');
    if (call.kind === 'heartbeat' && ended) {
      this.rejected += 1;
      this.#options.record(server, `rejects ${call.leaseId}: ${body.code}`);
      this.#checkRejected(call, String(body.code), region);
    }
  }

  /** Called when a holder has received confirmation of a lease. */
  held(holder: Holder, keeper: ManagedLease, poolId: number): void {
    let seats = 0;
    for (const each of this.#options.holders()) seats += each.heldSeats(poolId);
    const capacity = Math.max(this.#options.capacityOf(poolId), this.#importedCapacity.get(poolId) ?? 0);
    if (seats <= capacity) return;
    this.#options.violations.record(
      'pool-oversold',
      `${seats} of ${capacity} seats are held since ${holder.name} holds ${keeper.id}`,
    );
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
      this.#options.violations.record('two-regions-in-epoch', `${before} and ${region} granted in epoch ${epoch}`);
    }
    this.#regionOfEpoch.set(epoch, region);
    const leaseId = String(body.leaseId);
    const handover = this.#handoverOf(body.token);
    this.#granted.set(leaseId, region);
    this.#checkReleased({ leaseId, arrivedAtMs: call.arrivedAtMs, region, handover });
    const place = `${region}/${leaseId}`;
    this.#handovers.set(place, Math.max(handover, this.#handovers.get(place) ?? 0));
    const takenBack = this.#takenBack.get(leaseId);
    if (takenBack && call.arrivedAtMs > (takenBack.answeredAtMs ?? Number.POSITIVE_INFINITY))
      takenBack.servedAgain = true;
    const newer = this.#openings.find((opening) => opening.epoch > epoch && opening.opensAtMs <= this.#options.nowMs());
    if (newer) {
      this.#options.violations.record(
        'granted-in-superseded-epoch',
        `${server} granted in epoch ${epoch} after epoch ${newer.epoch} opened`,
      );
    }
  }

  /** The release of an earlier holder does not end a lease that was handed over to a later one. */
  #recordReleased(call: HttpCall, region: string): void {
    const { leaseId = '', body } = call;
    const handover = this.#handoverOf(body?.token);
    const isHandedOver = handover < (this.#handovers.get(`${region}/${leaseId}`) ?? 0);
    if (isHandedOver || !this.#isReleased(call, region)) return;
    this.#released.set(leaseId, { region, atMs: this.#options.nowMs(), handover });
  }

  /** Leaving a queue is no release, nor is the release of a lease that the region cannot know. */
  #isReleased({ leaseId = '', body }: HttpCall, region: string): boolean {
    return this.#granted.get(leaseId) === region || this.#options.fakeSigner.read(body?.token) !== undefined;
  }

  #handoverOf(token: unknown): number {
    return this.#options.fakeSigner.read(token)?.claim.handover ?? 0;
  }

  /**
   * A region must not grant a lease that it had recorded as released; a later epoch may have lost that record. The release
   * of an earlier holder does not end a lease that was handed over to a later one.
   */
  #checkReleased(grant: {
    readonly leaseId: string;
    readonly arrivedAtMs: number;
    readonly region: string;
    readonly handover: number;
  }): void {
    const { leaseId, arrivedAtMs, region } = grant;
    const released = this.#released.get(leaseId);
    if (released?.region !== region || released.atMs >= arrivedAtMs) return;
    if (grant.handover > released.handover) return;
    if (this.#openings.some(({ opensAtMs }) => opensAtMs > released.atMs && opensAtMs <= this.#options.nowMs())) return;
    this.#options.violations.record(
      'granted-after-release',
      `${leaseId} was released in ${region} and then granted there`,
    );
  }

  /** Checks that a region may reject this lease as ended. */
  #checkRejected({ leaseId = '', body }: HttpCall, code: string, region: string): void {
    const claim = this.#options.fakeSigner.read(body?.token)?.claim;
    const clock = this.#options.databaseClock(region);
    if (!claim || this.#releaseRequested.has(leaseId) || this.#takenBack.has(leaseId) || clock === undefined) return;
    const leftMs = claim.expiresAtMs - clock.nowMs;
    if (leftMs > this.#mayBeRejectedEarlyMs(claim.epoch, region)) {
      this.#options.violations.record(
        'lease-lost',
        `${leaseId} was rejected (${code}) with ${Math.round(leftMs)} ms left of its token`,
      );
      return;
    }
    if (this.#isUnresolved(claim, clock.aheadMs)) {
      this.#options.violations.record(
        'lease-lost',
        `${leaseId} was rejected (${code}) while its region's unknown grants were awaited`,
      );
    }
  }

  /**
   * In the epoch that issued the token none, unless the database's clock was set. In a later epoch the skew: the token was
   * issued by another region's clock.
   */
  #mayBeRejectedEarlyMs(epoch: number, region: string): number {
    const { policy, clockIsSteady } = this.#options;
    const isSameEpoch = !this.#openings.some((opening) => opening.epoch > epoch);
    return isSameEpoch && clockIsSteady(region) ? 0 : policy.skewMs;
  }

  /** Whether a newer epoch still awaits unknown grants of the lost region, and the lease's token outlived that region. */
  #isUnresolved({ epoch, expiresAtMs }: { epoch: number; expiresAtMs: number }, aheadMs: number): boolean {
    const { leaseTtlMs, policy, nowMs } = this.#options;
    const since = this.#openings.filter((opening) => opening.epoch > epoch);
    const [first] = since;
    if (!first) return false;
    const lastProofMs = Math.max(...since.map((opening) => Math.min(opening.lapsedAtMs, opening.opensAtMs)));
    const outlived = expiresAtMs - BEGINNING_MS - aheadMs > lastProofMs + policy.skewMs + RECORD_AGE_MS_MAX;
    const untilMs = first.opensAtMs + leaseTtlMs + policy.authorityLeaseMs;
    return outlived && nowMs() < untilMs;
  }
}
