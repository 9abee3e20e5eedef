import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Exchange } from './history';

export interface LineOptions {
  readonly address: string;
  readonly token: string;
  readonly product: string;
  readonly feature: string;
  /** Gets every response. */
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
const ASKED_AT_LEAST_EVERY_MS = 1_500;

/** Somebody who stands in line for one seat, and asks again as he is told to. */
export class Waiter {
  readonly leaseId = randomUUID();
  readonly name: string;
  position: number | undefined;
  state: 'asking' | 'waiting' | 'served' | 'gone' = 'asking';
  private readonly options: LineOptions;
  private token: string | undefined;

  constructor(name: string, options: LineOptions) {
    this.name = name;
    this.options = options;
  }

  /** Asks until it has its seat, however long that takes. */
  async stand(): Promise<void> {
    while (this.state === 'asking' || this.state === 'waiting') {
      const retryAfterMs = await this.ask();
      if (retryAfterMs === undefined) return;
      await delay(Math.min(retryAfterMs, ASKED_AT_LEAST_EVERY_MS));
    }
  }

  async giveBack(): Promise<void> {
    const served = this.state === 'served';
    this.state = 'gone';
    if (served) await this.send('DELETE', {});
  }

  /** Resolves to when to ask again, or undefined when it is served. */
  private async ask(): Promise<number | undefined> {
    const { product, feature } = this.options;
    const body = { product, feature, seats: 1, holder: this.name, queue: true, token: this.token };
    const answer = await this.send('PUT', body);
    if (answer?.status === 201) {
      this.state = 'served';
      return undefined;
    }
    if (answer?.status === 202) {
      this.state = 'waiting';
      this.position = answer.body.position;
    }
    this.token = answer?.body.token ?? this.token;
    return (answer?.body.retryAfter ?? 0.3) * 1_000;
  }

  private async send(method: 'PUT' | 'DELETE', body: object): Promise<{ status: number; body: Answer } | undefined> {
    const { address, token } = this.options;
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
      this.record({ method, sentAtMs, status: response.status, answer });
      return { status: response.status, body: answer };
    } catch {
      this.record({ method, sentAtMs, status: undefined, answer: {} });
      return undefined;
    }
  }

  private record(said: {
    method: 'PUT' | 'DELETE';
    sentAtMs: number;
    status: number | undefined;
    answer: Answer;
  }): void {
    const { method, sentAtMs, status, answer } = said;
    const { product, feature } = this.options;
    const { code, epoch, servedBy, token, position, expiresAt } = answer;
    const expiresAtMs = expiresAt ? Date.parse(expiresAt) - Date.now() + performance.now() : undefined;
    this.options.record({
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
