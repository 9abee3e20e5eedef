import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Exchange } from './history';

export interface QueueClientOptions {
  readonly address: string;
  readonly token: string;
  readonly product: string;
  readonly feature: string;
  /** Receives every response. */
  readonly record: (exchange: Exchange) => void;
}

interface Answer {
  readonly token?: string;
  readonly position?: number;
  readonly expiresAt?: string;
  readonly epoch?: number;
  readonly servedBy?: string;
  readonly code?: string;
  readonly retryAfter?: number;
}

const REQUEST_TIME_OUT_MS = 3_000;
const REQUEST_EVERY_MS_MAX = 1_500;

/** A client that queues for one seat and repeats its request as the server asks. */
export class QueueClient {
  readonly leaseId = randomUUID();
  readonly name: string;
  position: number | undefined;
  state: 'requesting' | 'waiting' | 'served' | 'gone' = 'requesting';
  readonly #options: QueueClientOptions;
  #token: string | undefined;

  constructor(name: string, options: QueueClientOptions) {
    this.name = name;
    this.#options = options;
  }

  /** Repeats the request until it has its seat. */
  async waitForSeat(): Promise<void> {
    while (this.state === 'requesting' || this.state === 'waiting') {
      const retryAfterMs = await this.#request();
      if (retryAfterMs === undefined) return;
      await delay(Math.min(retryAfterMs, REQUEST_EVERY_MS_MAX));
    }
  }

  async releaseSeat(): Promise<void> {
    const served = this.state === 'served';
    this.state = 'gone';
    if (served) await this.#send('DELETE', {});
  }

  /** Resolves to the delay before the next request, or undefined once the seat is granted. */
  async #request(): Promise<number | undefined> {
    const { product, feature } = this.#options;
    const body = { product, feature, seats: 1, holder: this.name, queue: true, token: this.#token };
    const answer = await this.#send('PUT', body);
    if (answer?.status === 201) {
      this.state = 'served';
      return undefined;
    }
    if (answer?.status === 202) {
      this.state = 'waiting';
      this.position = answer.body.position;
    }
    this.#token = answer?.body.token ?? this.#token;
    return (answer?.body.retryAfter ?? 0.3) * 1_000;
  }

  async #send(method: 'PUT' | 'DELETE', body: object): Promise<{ status: number; body: Answer } | undefined> {
    const { address, token } = this.#options;
    const sentAtMs = performance.now();
    try {
      const response = await fetch(`${address}/v1/leases/${this.leaseId}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(REQUEST_TIME_OUT_MS),
      });
      const text = await response.text();
      const answer = (text === '' ? {} : JSON.parse(text)) as Answer;
      this.#record({ method, sentAtMs, status: response.status, answer });
      return { status: response.status, body: answer };
    } catch {
      this.#record({ method, sentAtMs, status: undefined, answer: {} });
      return undefined;
    }
  }

  #record(response: { method: 'PUT' | 'DELETE'; sentAtMs: number; status: number | undefined; answer: Answer }): void {
    const { method, sentAtMs, status, answer } = response;
    const { product, feature } = this.#options;
    const { code, epoch, servedBy, token, position, expiresAt } = answer;
    const expiresAtMs = expiresAt ? Date.parse(expiresAt) - Date.now() + performance.now() : undefined;
    this.#options.record({
      method,
      sentAtMs,
      receivedAtMs: performance.now(),
      leaseId: this.leaseId,
      status,
      product,
      feature,
      seats: 1,
      code,
      epoch,
      servedBy,
      token: status === 201 ? token : undefined,
      position,
      expiresAtMs,
    });
  }
}
