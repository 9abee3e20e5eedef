import { createHash } from 'node:crypto';
import { type OfflineRequest, readOfflineRequest, readOfflineReturn } from '@evergrant/formats/offline/documents';
import { sha256 } from '@evergrant/formats/offline/unsigned';
import type { Attribution } from '../audit/attribution';
import type { Caller } from '../auth/core/caller';
import type { Acknowledged, AcknowledgementGate } from '../epochs/acknowledgement-gate';
import type { Committed, EpochTransactions, Refusal } from '../epochs/epoch-transactions';
import type { ExpectedEpoch, InEpoch } from '../epochs/store';
import type { HeldLease, LeaseAnswer } from '../granting/lease-answers';
import type { LeaseService } from '../granting/lease-service';
import type { OfflineTokens } from './offline-tokens';
import type { ExchangeStart, OfflineStore, StartedExchange } from './store';

export interface OfflineServiceOptions {
  readonly store: OfflineStore;
  readonly transactions: EpochTransactions;
  readonly gate: AcknowledgementGate;
  readonly leases: LeaseService;
  readonly tokens: OfflineTokens;
}

/** A request or return file that an administrator submits for a Control Room. */
export interface OfflineFile {
  readonly controlRoom: string;
  readonly text: string;
  readonly submittedBy: Caller;
}

export type OfflineAnswer =
  /** The signed response or receipt. */
  | Acknowledged<string>
  | { readonly kind: 'offline_file_unreadable'; readonly reason: string }
  | { readonly kind: 'offline_file_of_another'; readonly controlRoom: string }
  | Exclude<ExchangeStart, { kind: 'started' | 'answered' }>
  /** No seat is lent, because this feature of the request cannot be. */
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
 * Lends seats to Control Rooms without a network: the whole request, or nothing. The seats are ordinary borrowed
 * leases whose tokens travel in files. A request is answered once; the same request again gets the same response and
 * no further seats.
 */
export class OfflineService {
  readonly #options: OfflineServiceOptions;

  constructor(options: OfflineServiceOptions) {
    this.#options = options;
  }

  /** Answers a request file with a signed response. */
  async respond({ controlRoom, text, submittedBy }: OfflineFile): Promise<OfflineAnswer> {
    const file = readOfflineRequest(text);
    if (file.kind === 'unreadable') return { kind: 'offline_file_unreadable', reason: file.reason };
    const request = file.document;
    if (request.controlRoom !== controlRoom) {
      return { kind: 'offline_file_of_another', controlRoom: request.controlRoom };
    }
    const { nonce, name } = request;
    const order = { controlRoom, name, nonce, requestSha256: file.sha256 };
    const attribution = { actor: submittedBy.name };
    const start = await this.#change((store, expected) => store.start(order, attribution, expected));
    if (start.kind !== 'done') return start;
    const { result: exchange } = start;
    switch (exchange.kind) {
      case 'answered':
        return this.#acknowledge(start, exchange.response);
      case 'started':
        return this.#lend(request, { requestSha256: file.sha256, exchange, submittedBy });
      default:
        return exchange;
    }
  }

  /** Ends the leases of a return file and answers with a signed receipt. */
  async takeBack({ controlRoom, text, submittedBy }: OfflineFile): Promise<OfflineAnswer> {
    const file = readOfflineReturn(text);
    if (file.kind === 'unreadable') return { kind: 'offline_file_unreadable', reason: file.reason };
    const { nonce, responseSha256 } = file.document;
    if (file.document.controlRoom !== controlRoom) {
      return { kind: 'offline_file_of_another', controlRoom: file.document.controlRoom };
    }
    const refusal = this.#options.transactions.precheck();
    if (refusal) return refusal;
    const exchange = await this.#options.store.find(nonce);
    if (exchange?.controlRoom !== controlRoom || sha256(exchange.response) !== responseSha256) {
      return { kind: 'offline_return_unknown' };
    }
    const attribution = { actor: submittedBy.name };
    // The stored receipt is stored once more: the position of that commit shows whether the follower has it.
    if (exchange.receipt !== undefined) return this.#close({ nonce, receipt: exchange.receipt }, attribution);
    const { licenseId } = exchange;
    const leaseIds = this.#options.tokens.leaseIdsOf(exchange.response);
    const failure = await this.#release(leaseIds, onBehalf(submittedBy, { controlRoom, licenseId }));
    if (failure) return failure;
    const receipt = await this.#options.tokens.signReceipt({ controlRoom, nonce, licenseId, leaseIds });
    return this.#close({ nonce, receipt }, attribution);
  }

  async #close(closing: { nonce: string; receipt: string }, attribution: Attribution): Promise<OfflineAnswer> {
    const closed = await this.#change((store, expected) => store.close(closing, attribution, expected));
    return closed.kind === 'done' ? this.#acknowledge(closed, closed.result) : closed;
  }

  async #lend(
    request: OfflineRequest,
    options: { requestSha256: string; exchange: StartedExchange; submittedBy: Caller },
  ): Promise<OfflineAnswer> {
    const { requestSha256, exchange, submittedBy } = options;
    const { controlRoom, nonce } = request;
    const { attempt, licenseId } = exchange;
    const checkouts = await this.#checkoutAll(request, exchange, submittedBy);
    if (checkouts.kind !== 'held') return checkouts;
    const { leases } = checkouts;
    const response = await this.#options.tokens.signResponse({ controlRoom, nonce, licenseId, requestSha256, leases });
    const lentUntilMs = Math.max(...leases.map(({ lease }) => lease.expiresAtMs));
    const answer = { nonce, attempt, response, lentUntilMs };
    const attribution = { actor: submittedBy.name };
    const answered = await this.#change((store, expected) => store.answer(answer, attribution, expected));
    if (answered.kind !== 'done') return answered;
    // A concurrent submission of the same request has abandoned this attempt. The client's retry starts from its result.
    return answered.result === undefined ? { kind: 'overloaded' } : this.#acknowledge(answered, answered.result);
  }

  async #checkoutAll(
    { controlRoom, nonce, name, wanted, durationSeconds }: OfflineRequest,
    { attempt, licenseId, product, state }: StartedExchange,
    submittedBy: Caller,
  ): Promise<{ readonly kind: 'held'; readonly leases: readonly HeldLease[] } | OfflineAnswer> {
    const caller = onBehalf(submittedBy, { controlRoom, licenseId, controlRoomState: state });
    const leases: HeldLease[] = [];
    for (const { feature, seats } of wanted) {
      const leaseId = leaseIdOf([controlRoom, nonce, String(attempt), feature]);
      const checkout = { leaseId, product, feature, licenseId, seats, holder: name, borrowSeconds: durationSeconds };
      const answer = await this.#options.leases.checkout(checkout, caller);
      if (answer.kind === 'held') leases.push(answer);
      else if (isRefusal(answer)) return answer;
      else return this.#abandon({ nonce, attempt, leases, caller }, { kind: 'not_lent', feature, answer });
    }
    return { kind: 'held', leases };
  }

  /** Releases the seats of an incomplete attempt, unless another attempt of the request has been answered. */
  async #abandon(
    abandoned: { nonce: string; attempt: number; leases: readonly HeldLease[]; caller: Caller },
    answer: OfflineAnswer,
  ): Promise<OfflineAnswer> {
    const { nonce, attempt, leases, caller } = abandoned;
    const outcome = await this.#change((store, expected) => store.abandon({ nonce, attempt }, expected));
    if (outcome.kind !== 'done') return outcome;
    if (!outcome.result) return { kind: 'overloaded' };
    const leaseIds = leases.map(({ lease }) => lease.id);
    return (await this.#release(leaseIds, caller)) ?? answer;
  }

  /** Resolves to the first answer that leaves a lease in doubt, if any. */
  async #release(leaseIds: readonly string[], caller: Caller): Promise<Refusal | undefined> {
    for (const leaseId of leaseIds) {
      const ended = await this.#options.leases.release({ leaseId }, caller);
      if (ended.kind !== 'ended' && ended.kind !== 'lease_not_found') return ended;
    }
    return undefined;
  }

  async #change<T>(
    transact: (store: OfflineStore, expected: ExpectedEpoch) => Promise<InEpoch<T>>,
  ): Promise<Committed<T> | Refusal> {
    const { store, transactions } = this.#options;
    const refusal = transactions.precheck();
    if (refusal) return refusal;
    return transactions.execute('offline', 1, (expected) => transact(store, { ...expected, requireProtection: true }));
  }

  #acknowledge(committed: Committed<unknown>, jws: string): Promise<Acknowledged<string> | Refusal> {
    return this.#options.gate.acknowledge(committed, jws, { kind: 'replicated' });
  }
}

/** The administrator acts for the Control Room, within its license, under the administrator's own name. */
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

/** Derives a UUID (version 8) from the parts, so that a repeated request finds its leases after a crash. */
function leaseIdOf(parts: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}
