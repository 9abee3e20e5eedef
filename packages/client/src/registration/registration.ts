import { createHash, randomBytes } from 'node:crypto';
import { type BackoffPolicy, backoffMs } from '../core/backoff';
import type { ClientNotice } from '../events';
import type { StoredControlRoom } from '../state/schema';
import { type Cancel, type ClientClock, pauseFor } from '../time/clock';
import type { AddressBook } from '../transport/addresses';
import type { ClientCall, TransportResult } from '../transport/call';
import type { HttpTransport } from '../transport/http-transport';

/** ControlRoomRegistration of an installation as a Control Room. */
export interface ControlRoomDefinition {
  /** GUID of the Control Room. @default generated and stored in the state file */
  readonly guid?: string;
  /** Display name, for example `Control Room Kyoto`. */
  readonly name: string;
  /** Secret of the customer. The client does not store it. */
  readonly licenseKey: string;
  readonly group?: string;
  /** Token with at least 128 random bits, for installations that store secrets elsewhere. @default generated and stored */
  readonly token?: string;
}

export interface RegistrationOptions {
  readonly definition: ControlRoomDefinition;
  readonly stored: StoredControlRoom | undefined;
  readonly newGuid: () => string;
  readonly http: HttpTransport;
  readonly addresses: AddressBook;
  readonly requestTimeoutMs: number;
  readonly backoff: BackoffPolicy;
  readonly clock: ClientClock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly onNotice: (notice: ClientNotice) => void;
  /** Writes the registration to the state file. Resolves when it is written. */
  readonly save: () => Promise<void>;
}

export type RegistrationOutcome =
  | { readonly kind: 'registered' }
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string }
  | { readonly kind: 'unavailable'; readonly reason: string };

const TOKEN_BYTES = 32;
const INVALIDATE_EVERY_MS_MIN = 60_000;
const HEARTBEAT_EVERY_MS_DEFAULT = 3_600_000;

/**
 * Registers the installation as a Control Room of a license, and sends its heartbeats. The client creates the token and
 * sends only its SHA-256, so neither the database nor the network reveals it. ControlRoomRegistration is idempotent.
 */
export class ControlRoomRegistration {
  readonly #options: RegistrationOptions;
  #room: StoredControlRoom;
  #registered: boolean;
  #registering: Promise<RegistrationOutcome> | undefined;
  #invalidatedAtMs = Number.NEGATIVE_INFINITY;
  #presence: Cancel = () => undefined;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    const { stored, definition } = options;
    const guid = (definition.guid ?? stored?.guid ?? options.newGuid()).toLowerCase();
    const same = stored?.guid === guid && stored.token === (definition.token ?? stored.token) ? stored : undefined;
    const token = definition.token ?? randomBytes(TOKEN_BYTES).toString('base64url');
    this.#room = same ?? { guid, token, licenseId: undefined };
    this.#registered = same?.licenseId !== undefined;
    if (this.#registered) this.#scheduleHeartbeat(HEARTBEAT_EVERY_MS_DEFAULT);
  }

  get room(): StoredControlRoom {
    return this.#room;
  }

  get token(): string {
    return this.#room.token;
  }

  /** Registers unless already registered, with retries until the deadline. Concurrent calls share one registration. Never rejects. */
  ready(deadlineMs: number, signal: AbortSignal): Promise<RegistrationOutcome> {
    if (this.#registered) return Promise.resolve({ kind: 'registered' });
    this.#registering ??= this.#register(deadlineMs, signal).finally(() => {
      this.#registering = undefined;
    });
    return this.#registering;
  }

  /** The service rejected the token, for example after its database was restored. Registers again, at most once a minute. */
  invalidate(): void {
    const { clock, requestTimeoutMs, signal } = this.#options;
    if (clock.nowMs() - this.#invalidatedAtMs < INVALIDATE_EVERY_MS_MIN) return;
    this.#invalidatedAtMs = clock.nowMs();
    this.#registered = false;
    void this.ready(requestTimeoutMs, signal);
  }

  /** Uses the registration of the state file, which could not be opened before. */
  adopt(room: StoredControlRoom): void {
    this.#room = room;
    this.#registered = room.licenseId !== undefined;
    if (this.#registered) this.#scheduleHeartbeat(HEARTBEAT_EVERY_MS_DEFAULT);
  }

  stop(): void {
    this.#presence();
  }

  async #register(deadlineMs: number, signal: AbortSignal): Promise<RegistrationOutcome> {
    const { clock, random, backoff } = this.#options;
    // The token is stored before it is sent: losing the token of a registration locks the Control Room out.
    await this.#options.save();
    const endsAtMs = clock.nowMs() + deadlineMs;
    for (let failures = 1; ; failures += 1) {
      const { answer, address } = await this.#ask(this.#registration(), signal);
      const outcome = this.#outcomeOf(answer);
      if (outcome.kind !== 'unavailable') return outcome;
      this.#changeAddress(answer, address);
      const retryAfterMs = answer.kind === 'response' ? answer.retryAfterMs : undefined;
      const waitMs = backoffMs({ failures, retryAfterMs, random: random() }, backoff);
      if (signal.aborted || clock.nowMs() + waitMs >= endsAtMs) return outcome;
      await pauseFor(clock, waitMs, { signal, background: false });
    }
  }

  #registration(): ClientCall {
    const { name, licenseKey, group } = this.#options.definition;
    const tokenSha256 = createHash('sha256').update(this.#room.token).digest('hex');
    return {
      kind: 'registration',
      method: 'PUT',
      path: `/v1/control-rooms/${this.#room.guid}`,
      body: { licenseKey, name, tokenSha256, ...(group === undefined ? {} : { group }) },
      anonymous: true,
    };
  }

  #outcomeOf(answer: TransportResult): RegistrationOutcome {
    if (answer.kind === 'no_response') return { kind: 'unavailable', reason: answer.reason };
    const { status, body } = answer;
    const code = typeof body.code === 'string' ? body.code : `http_${status}`;
    if (status === 200 || status === 201) return this.#registeredAs(body);
    if (status >= 500 || status === 429 || status === 408) return { kind: 'unavailable', reason: code };
    const detail = String(body.detail ?? body.title ?? '');
    this.#options.onNotice({ kind: 'registration_refused', code, detail });
    return { kind: 'refused', code, detail };
  }

  #registeredAs({ licenseId, heartbeatAfter }: Readonly<Record<string, unknown>>): RegistrationOutcome {
    if (typeof licenseId !== 'string') return { kind: 'unavailable', reason: 'the response is not a registration' };
    this.#room = { ...this.#room, licenseId };
    this.#registered = true;
    void this.#options.save();
    this.#options.onNotice({ kind: 'registered', controlRoom: this.#room.guid, licenseId });
    this.#scheduleHeartbeat(heartbeatIntervalMs(heartbeatAfter));
    return { kind: 'registered' };
  }

  /** Without heartbeats the service marks an idle Control Room as unreachable. */
  #scheduleHeartbeat(everyMs: number): void {
    const { clock, random } = this.#options;
    this.#presence();
    const waitMs = everyMs * (0.9 + 0.2 * random());
    this.#presence = clock.after(waitMs, () => void this.#sendHeartbeat(everyMs), { background: true });
  }

  async #sendHeartbeat(everyMs: number): Promise<void> {
    const path = `/v1/control-rooms/${this.#room.guid}/heartbeat`;
    const { answer, address } = await this.#ask(
      { kind: 'presence', method: 'POST', path, body: {} },
      this.#options.signal,
    );
    if (this.#options.signal.aborted) return;
    if (answer.kind === 'response' && answer.status === 200) {
      this.#scheduleHeartbeat(heartbeatIntervalMs(answer.body.heartbeatAfter));
      return;
    }
    this.#changeAddress(answer, address);
    this.#scheduleHeartbeat(Math.min(everyMs, this.#options.backoff.capMs * 4));
  }

  async #ask(call: ClientCall, stop: AbortSignal): Promise<{ answer: TransportResult; address: string }> {
    const { http, addresses, requestTimeoutMs: timeoutMs } = this.#options;
    const address = await addresses.current();
    return {
      address,
      answer: await http.send(call, address, { timeoutMs, stop, background: call.kind === 'presence' }),
    };
  }

  #changeAddress(answer: TransportResult, from: string): void {
    const redirectAddress = answer.kind === 'response' && answer.status === 503 ? answer.body.address : undefined;
    if (typeof redirectAddress === 'string' && this.#options.addresses.follow(redirectAddress) !== 'not_trusted')
      return;
    if (answer.kind === 'no_response' || answer.status >= 500) this.#options.addresses.leave(from);
  }
}

function heartbeatIntervalMs(heartbeatAfter: unknown): number {
  return typeof heartbeatAfter === 'number' && heartbeatAfter > 0 ? heartbeatAfter * 1_000 : HEARTBEAT_EVERY_MS_DEFAULT;
}
