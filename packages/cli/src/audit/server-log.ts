import type { DenialsAccount } from '@evergrant/formats/audit/accounting';
import type { AuditEvent } from '@evergrant/formats/audit/event';
import type { StoredStatement } from '@evergrant/formats/audit/statement-check';
import type { JWK } from 'jose';
import type { LicenseServerClient } from '../license-server-client';

const PAGE_SIZE = 5_000;

export interface HeadView {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
  readonly licenseId: string | null;
  readonly product: string | null;
  readonly feature: string | null;
  readonly seatsTaken: number | null;
  readonly seatsTakenByLog: number | null;
  readonly jws: string;
}

export interface HeadsView {
  readonly at: string;
  readonly epoch: number;
  readonly writable: boolean;
  readonly heads: readonly HeadView[];
}

export interface UsageView {
  readonly usage: readonly { readonly day: string; readonly chain: string; readonly seatsPeak: number }[];
}

export interface DenialsView {
  readonly denials: readonly DenialsAccount[];
}

export interface EventQuery {
  readonly chain?: string | undefined;
  readonly kind?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly cursor?: string | undefined;
}

/** Reads the audit log of a license server page by page. */
export class ServerLog {
  readonly #server: LicenseServerClient;

  constructor(server: LicenseServerClient) {
    this.#server = server;
  }

  heads(): Promise<HeadsView> {
    return this.#server.call('GET', '/v1/audit/heads');
  }

  jwks(): Promise<{ readonly keys: readonly JWK[] }> {
    return this.#server.call('GET', '/.well-known/jwks.json');
  }

  usage(since: string, until: string): Promise<UsageView> {
    return this.#server.call('GET', `/v1/reports/usage?since=${since}&until=${until}`);
  }

  denials(since: string, until: string): Promise<DenialsView> {
    return this.#server.call('GET', `/v1/reports/denials?since=${since}&until=${until}`);
  }

  async *events({ cursor: from, ...filter }: EventQuery, pageSize = PAGE_SIZE): AsyncGenerator<AuditEvent> {
    let cursor: string | null | undefined = from;
    do {
      type Page = { readonly events: readonly AuditEvent[]; readonly nextCursor: string | null };
      const page: Page = await this.#page('/v1/audit/events', { ...filter, cursor, limit: String(pageSize) });
      yield* page.events;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  /**
   * Yields the checkpoints as of the first request, and each head after the checkpoints of its chain. Read the heads first,
   * so that they cover every event that is read later.
   */
  async *statements(heads: readonly HeadView[]): AsyncGenerator<StoredStatement> {
    const waiting = heads.map(({ chain, jws }) => ({ chain, number: null, jws }));
    for await (const checkpoint of this.#checkpoints()) {
      for (let head = waiting[0]; head && head.chain < checkpoint.chain; head = waiting[0]) {
        yield head;
        waiting.shift();
      }
      yield checkpoint;
    }
    yield* waiting;
  }

  async *#checkpoints(): AsyncGenerator<StoredStatement> {
    let cursor: string | null | undefined;
    let until: string | undefined;
    do {
      type Page = {
        readonly checkpoints: readonly StoredStatement[];
        readonly asOf: string;
        readonly nextCursor: string | null;
      };
      const page: Page = await this.#page('/v1/audit/checkpoints', { until, cursor, limit: String(PAGE_SIZE) });
      yield* page.checkpoints;
      until = page.asOf;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  #page<T>(path: string, parameters: Readonly<Record<string, string | null | undefined>>): Promise<T> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) if (value) query.set(name, value);
    return this.#server.call('GET', `${path}?${query}`);
  }
}
