import { createHash } from 'node:crypto';
import { type OfflineRequest, readOfflineRequest, readOfflineReturn } from '@evergrant/formats/offline/documents';
import { sha256 } from '@evergrant/formats/offline/unsigned';
import type { Caller } from '../auth/core/caller';
import type { EpochWork, Refusal } from '../epochs/epoch-transactions';
import type { ExpectedEpoch, InEpoch } from '../epochs/store';
import type { HeldLease, LeaseAnswer } from '../granting/lease-answers';
import type { LeaseDesk } from '../granting/lease-service';
import type { OfflineTokens } from './offline-tokens';
import type { OfflineBeginning, OfflineRegistry } from './ports';

export interface OfflineDeskOptions {
  readonly registry: OfflineRegistry;
  readonly work: EpochWork;
  readonly desk: LeaseDesk;
  readonly tokens: OfflineTokens;
}

/** A file that an administrator brings for a Control Room. */
export interface BroughtFile {
  readonly controlRoom: string;
  readonly text: string;
  readonly by: Caller;
}

type Begun = Extract<OfflineBeginning, { kind: 'begun' }>;

export type OfflineAnswer =
  | { readonly kind: 'answered'; readonly jws: string }
  | { readonly kind: 'offline_file_unreadable'; readonly because: string }
  | { readonly kind: 'offline_file_of_another'; readonly controlRoom: string }
  | Exclude<OfflineBeginning, { kind: 'begun' | 'answered' }>
  /** Nothing was lent: this one of the features could not be. */
  | { readonly kind: 'not_lent'; readonly feature: string; readonly answer: LeaseAnswer }
  | { readonly kind: 'offline_return_unknown' }
  | Refusal;

const REFUSALS: Readonly<Record<Refusal['kind'], true>> = {
  not_granting: true,
  outcome_unknown: true,
  not_in_control: true,
  license_wrong_server: true,
  no_quorum: true,
  overloaded: true,
  not_protected: true,
};

/**
 * Lends seats to Control Rooms without a network: all that a request asks for, or nothing. The seats are borrowed
 * leases like any other; what is special is only that they travel in files. A request is answered once: brought again,
 * it gets the same response and no further seat.
 */
export class OfflineDesk {
  readonly #options: OfflineDeskOptions;

  constructor(options: OfflineDeskOptions) {
    this.#options = options;
  }

  async respond({ controlRoom, text, by }: BroughtFile): Promise<OfflineAnswer> {
    const file = readOfflineRequest(text);
    if (file.kind === 'unreadable') return { kind: 'offline_file_unreadable', because: file.because };
    const request = file.document;
    if (request.controlRoom !== controlRoom) {
      return { kind: 'offline_file_of_another', controlRoom: request.controlRoom };
    }
    const { nonce, name } = request;
    const order = { controlRoom, name, nonce, requestSha256: file.sha256 };
    const begun = await this.#run((registry, expected) => registry.begin(order, { actor: by.name }, expected));
    if (begun.kind !== 'done') return begun;
    const { result } = begun;
    if (result.kind === 'answered') return { kind: 'answered', jws: result.response };
    return result.kind === 'begun' ? this.#lend(request, { requestSha256: file.sha256, begun: result, by }) : result;
  }

  async takeBack({ controlRoom, text, by }: BroughtFile): Promise<OfflineAnswer> {
    const file = readOfflineReturn(text);
    if (file.kind === 'unreadable') return { kind: 'offline_file_unreadable', because: file.because };
    const { nonce, responseSha256 } = file.document;
    if (file.document.controlRoom !== controlRoom) {
      return { kind: 'offline_file_of_another', controlRoom: file.document.controlRoom };
    }
    const refusal = this.#options.work.refusal();
    if (refusal) return refusal;
    const exchange = await this.#options.registry.find(nonce);
    if (exchange?.controlRoom !== controlRoom || sha256(exchange.response) !== responseSha256) {
      return { kind: 'offline_return_unknown' };
    }
    if (exchange.receipt !== undefined) return { kind: 'answered', jws: exchange.receipt };
    const { licenseId } = exchange;
    const leaseIds = this.#options.tokens.leaseIdsOf(exchange.response);
    for (const leaseId of leaseIds) {
      const ended = await this.#options.desk.release({ leaseId }, onBehalf(by, { controlRoom, licenseId }));
      if (ended.kind !== 'ended' && ended.kind !== 'lease_not_found') return ended;
    }
    const receipt = await this.#options.tokens.signReceipt({ controlRoom, nonce, licenseId, leaseIds });
    const closing = { nonce, receipt };
    const closed = await this.#run((registry, expected) => registry.close(closing, { actor: by.name }, expected));
    return closed.kind === 'done' ? { kind: 'answered', jws: closed.result } : closed;
  }

  async #lend(
    request: OfflineRequest,
    { requestSha256, begun, by }: { requestSha256: string; begun: Begun; by: Caller },
  ): Promise<OfflineAnswer> {
    const { controlRoom, nonce } = request;
    const { attempt, licenseId } = begun;
    const leased = await this.#leaseAll(request, begun, by);
    if (leased.kind !== 'held') return leased;
    const { leases } = leased;
    const response = await this.#options.tokens.signResponse({ controlRoom, nonce, licenseId, requestSha256, leases });
    const lentUntilMs = Math.max(...leases.map(({ lease }) => lease.expiresAtMs));
    const answer = { nonce, attempt, response, lentUntilMs };
    const answered = await this.#run((registry, expected) => registry.answer(answer, { actor: by.name }, expected));
    if (answered.kind !== 'done') return answered;
    // Somebody brought the same request at the same time, and gave it up: the next try finds what stands then.
    return answered.result === undefined ? { kind: 'overloaded' } : { kind: 'answered', jws: answered.result };
  }

  async #leaseAll(
    { controlRoom, nonce, name, wanted, durationSeconds }: OfflineRequest,
    { attempt, licenseId, product, state }: Begun,
    by: Caller,
  ): Promise<{ readonly kind: 'held'; readonly leases: readonly HeldLease[] } | OfflineAnswer> {
    const caller = onBehalf(by, { controlRoom, licenseId, controlRoomState: state });
    const leases: HeldLease[] = [];
    for (const { feature, seats } of wanted) {
      const leaseId = leaseIdOf([controlRoom, nonce, String(attempt), feature]);
      const checkout = { leaseId, product, feature, licenseId, seats, holder: name, borrowSeconds: durationSeconds };
      const answer = await this.#options.desk.checkout(checkout, caller);
      if (answer.kind === 'held') leases.push(answer);
      else if (isRefusal(answer)) return answer;
      else return this.#giveUp({ nonce, attempt, leases, caller }, { kind: 'not_lent', feature, answer });
    }
    return { kind: 'held', leases };
  }

  /** All or nothing: what was lent of the request goes back, unless another try of it has been answered. */
  async #giveUp(
    given: { nonce: string; attempt: number; leases: readonly HeldLease[]; caller: Caller },
    because: OfflineAnswer,
  ): Promise<OfflineAnswer> {
    const { nonce, attempt, leases, caller } = given;
    const givenUp = await this.#run((registry, expected) => registry.giveUp({ nonce, attempt }, expected));
    if (givenUp.kind !== 'done') return givenUp;
    if (!givenUp.result) return { kind: 'overloaded' };
    for (const { lease } of leases) {
      const ended = await this.#options.desk.release({ leaseId: lease.id }, caller);
      if (ended.kind !== 'ended' && ended.kind !== 'lease_not_found') return ended;
    }
    return because;
  }

  async #run<T>(
    transact: (registry: OfflineRegistry, expected: ExpectedEpoch) => Promise<InEpoch<T>>,
  ): Promise<{ readonly kind: 'done'; readonly result: T } | Refusal> {
    const { registry, work } = this.#options;
    const refusal = work.refusal();
    if (refusal) return refusal;
    const outcome = await work.run('offline', 1, (expected) => transact(registry, expected));
    if (outcome.kind !== 'done') return outcome;
    return work.refusalToAcknowledge(outcome.epoch) ?? { kind: 'done', result: outcome.result };
  }
}

/** The administrator acts for the Control Room, within its license, and under the administrator's own name. */
function onBehalf(
  { name }: Caller,
  room: { controlRoom: string; licenseId: string; controlRoomState?: Caller['controlRoomState'] },
): Caller {
  const { controlRoom, licenseId, controlRoomState = 'active' } = room;
  return { name, scopes: ['lease'], controlRoom, licenseId, controlRoomState };
}

function isRefusal(answer: LeaseAnswer): answer is Refusal {
  return answer.kind in REFUSALS;
}

/** The same parts, the same id: whatever dies in between, the same request finds its leases again. */
function leaseIdOf(parts: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}
