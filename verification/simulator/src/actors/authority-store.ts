import type { AuthorityView } from '@evergrant/controller/core/authority';
import { type ControlRecord, initialControl } from '@evergrant/controller/core/control-record';
import type { AuthorityStore as ControllerStore, ControlStore } from '@evergrant/controller/ports';
import { OperatingError } from '@evergrant/core/operating-error';
import type { Region } from '@evergrant/core/regions';
import type { AuthorityAnswer, ServerAuthorityStore as ServerStore } from '@evergrant/server/epochs/store';
import { DatabaseFailure } from '@evergrant/server/platform/database-failure';
import type { DisabledRules } from '../mutations';
import { SKEW_MS, type StoreKind } from '../scenario/scenario';
import type { Host } from '../topology/host';
import type { Network } from '../topology/network';

interface AuthorityRow {
  readonly epoch: number;
  readonly region: Region;
  readonly operationId: string | undefined;
  readonly latchedAtMs: number;
  readonly opensAtMs: number | undefined;
  readonly lapsedAtMs: number | undefined;
  readonly renewedAtMs: number | undefined;
  readonly renewedBy: string | undefined;
  readonly unprotected: { readonly epoch: number; readonly since: string } | undefined;
}

const CALL_TIMEOUT_MS = 3_000;
/** The offset of a writer's clock beyond which the product's clock skew guard refuses to write. */
const WRITER_AHEAD_MS_MAX = SKEW_MS / 2;

/** Milliseconds since 1970, by the clock that a call is judged by. */
type WriterClock = () => number;

export interface SimulatedAuthorityStoreOptions {
  readonly host: Host;
  readonly kind: StoreKind;
  readonly network: Network;
  readonly disabled: DisabledRules;
  readonly observer: StoreObserver;
}

/** Called on each change of the store. Durations are virtual time. */
export interface StoreObserver {
  readonly latched: (epoch: number, region: Region, operationId: string) => void;
  readonly renewed: (region: string) => void;
  readonly opened: (epoch: number, opensInMs: number, lapsedInMs: number) => void;
  readonly controlWritten: (record: ControlRecord) => void;
}

/**
 * The authority store in Ohio. It is linearizable: each call happens at one virtual moment on one row.
 *
 * - `sql` writes the store's own time, like packages/local-cluster/src/adapters/sql-stores.ts and
 *   packages/server/src/epochs/sql/renew-authority.ts.
 * - `dynamodb` has no clock: each item has the time at which its writer sent it, so a request that arrives late carries an
 *   old time. It follows packages/server/src/epochs/dynamodb and packages/controller/src/aws/authority-store.ts.
 */
export class SimulatedAuthorityStore {
  readonly host: Host;
  readonly #kind: StoreKind;
  readonly #network: Network;
  readonly #disabled: DisabledRules;
  readonly #observer: StoreObserver;
  #row: AuthorityRow;
  #control: { version: number; record: ControlRecord };

  constructor(options: SimulatedAuthorityStoreOptions) {
    this.host = options.host;
    this.#kind = options.kind;
    this.#network = options.network;
    this.#disabled = options.disabled;
    this.#observer = options.observer;
    const nowMs = this.host.wallMs();
    this.#row = {
      epoch: 1,
      region: 'oregon',
      operationId: undefined,
      latchedAtMs: nowMs,
      opensAtMs: nowMs,
      lapsedAtMs: undefined,
      renewedAtMs: undefined,
      renewedBy: undefined,
      unprotected: undefined,
    };
    this.#control = { version: 1, record: initialControl(nowMs) };
  }

  get row(): AuthorityRow {
    return this.#row;
  }

  get control(): ControlRecord {
    return this.#control.record;
  }

  /** The port of a license server. */
  forServer(caller: Host): ServerStore {
    const ask = async <T>(serve: (clock: WriterClock) => T): Promise<T> => {
      if (this.#isSkewed(caller)) throw new DatabaseFailure('unreachable', { cause: 'the clock is skewed' });
      const clock = this.#clockOf(caller);
      return this.call(caller, () => serve(clock));
    };
    return {
      renew: ({ region, server, renew }) => ask((clock) => this.#renew({ region, server, renew }, clock())),
      recordUnprotected: ({ epoch, region }) => {
        if (this.#disabled.has('S6')) return Promise.resolve(true);
        return ask((clock) => {
          if (!this.#isInForce(epoch, region, clock())) return false;
          const since = String(clock());
          this.#row = { ...this.#row, unprotected: { epoch, since } };
          return true;
        });
      },
      clearUnprotected: ({ epoch, region }, since) =>
        ask(() => {
          const { unprotected } = this.#row;
          const fits = this.#row.epoch === epoch && this.#row.region === region;
          if (fits && unprotected?.epoch === epoch && unprotected.since === since) {
            this.#row = { ...this.#row, unprotected: undefined };
          }
        }),
      close: async () => undefined,
    };
  }

  /** Runs `serve` at one moment in Ohio for a server. Rejects with `DatabaseFailure`. */
  async call<T>(caller: Host, serve: () => T, network = this.#network): Promise<T> {
    const answer = await this.#ask(caller, serve, network);
    if (answer === undefined) throw new DatabaseFailure('unreachable', { cause: 'no answer', outcomeUnknown: true });
    return answer.value;
  }

  /** The ports of a controller. */
  forController(caller: Host): { authority: ControllerStore; control: ControlStore } {
    const ask = async <T>(serve: (clock: WriterClock) => T): Promise<T> => {
      const clock = this.#clockOf(caller);
      const answer = await this.#ask(caller, () => serve(clock));
      if (answer === undefined) {
        throw new OperatingError({ code: 'store_unreachable', message: 'no answer', retryable: true });
      }
      return answer.value;
    };
    return {
      authority: {
        read: () => ask((clock) => this.#view(clock())),
        latch: (latch) => ask((clock) => this.#latch(latch, clock())),
        open: (opening) => ask((clock) => this.#open(opening, clock())),
      },
      control: {
        read: () => ask(() => this.#control),
        write: ({ version, record }) => ask(() => this.writeControl(version, record)),
        history: async () => [],
      },
    };
  }

  readControl(): { version: number; record: ControlRecord } {
    return this.#control;
  }

  writeControl(version: number, record: ControlRecord): 'written' | 'conflict' {
    if (version !== this.#control.version && !this.#disabled.has('control-version')) return 'conflict';
    this.#control = { version: this.#control.version + 1, record };
    this.#observer.controlWritten(record);
    return 'written';
  }

  #ask<T>(caller: Host, serve: () => T, network = this.#network): Promise<{ value: T } | undefined> {
    return network.askHost<{ value: T } | undefined>(caller, this.host, {
      timeoutMs: CALL_TIMEOUT_MS,
      late: undefined,
      refused: undefined,
      serve: (answer) => answer({ value: serve() }),
    });
  }

  /** The time of a call: of the store when it is served, or of the caller when it was sent. */
  #clockOf(caller: Host): WriterClock {
    if (this.#kind === 'sql') return () => this.host.wallMs();
    const sentAtMs = caller.wallMs();
    return () => sentAtMs;
  }

  #isSkewed({ aheadMs }: Host): boolean {
    return this.#kind === 'dynamodb' && Math.abs(aheadMs) > WRITER_AHEAD_MS_MAX;
  }

  #isOpen({ opensAtMs }: AuthorityRow, nowMs: number): boolean {
    return opensAtMs !== undefined && opensAtMs <= nowMs;
  }

  #isInForce(epoch: number, region: string, nowMs: number): boolean {
    return this.#row.epoch === epoch && this.#row.region === region && this.#isOpen(this.#row, nowMs);
  }

  #renew(
    { region, server, renew }: { region: string; server: string; renew: boolean },
    nowMs: number,
  ): AuthorityAnswer {
    const open = this.#isOpen(this.#row, nowMs);
    const late = nowMs < (this.#row.renewedAtMs ?? nowMs) && !this.#disabled.has('renewal-order');
    const renewed = renew && this.#row.region === region && open;
    if (renewed && !late) {
      this.#row = { ...this.#row, renewedAtMs: nowMs, renewedBy: server };
      this.#observer.renewed(region);
    }
    const { epoch, region: holder, lapsedAtMs, opensAtMs, unprotected } = this.#row;
    const lapsed = lapsedAtMs ?? opensAtMs;
    const lapsedAgoMs = lapsed === undefined ? undefined : Math.floor(nowMs - lapsed);
    return {
      record: { epoch, region: holder, open, lapsedAgoMs, unprotected },
      renewedEpoch: renewed ? epoch : undefined,
    };
  }

  #view(readAtMs: number): AuthorityView {
    const { epoch, region, operationId, latchedAtMs, opensAtMs, renewedAtMs, renewedBy } = this.#row;
    return { epoch, region, operationId, latchedAtMs, opensAtMs, renewedAtMs, renewedBy, readAtMs };
  }

  #latch(
    { fromEpoch, region, operationId }: Parameters<ControllerStore['latch']>[0],
    latchedAtMs: number,
  ): 'written' | 'conflict' {
    if (this.#row.epoch !== fromEpoch) return 'conflict';
    const epoch = fromEpoch + 1;
    this.#row = { ...this.#row, epoch, region, operationId, latchedAtMs, opensAtMs: undefined, lapsedAtMs: undefined };
    this.#observer.latched(epoch, region, operationId);
    return 'written';
  }

  #open(
    { epoch, operationId, lapsedAtMs }: Parameters<ControllerStore['open']>[0],
    nowMs: number,
  ): 'written' | 'conflict' {
    const row = this.#row;
    if (row.epoch !== epoch || row.operationId !== operationId || row.opensAtMs !== undefined) return 'conflict';
    const lapsed = this.#disabled.has('S5-lapse') ? nowMs : lapsedAtMs;
    const opensAtMs = Math.max(nowMs, lapsed);
    this.#row = { ...row, opensAtMs, lapsedAtMs: lapsed };
    this.#observer.opened(epoch, this.#earliestInMs(opensAtMs), this.#earliestInMs(lapsed));
    return 'written';
  }

  /** Time until the first clock that decides reads `atMs`. */
  #earliestInMs(atMs: number): number {
    if (this.#kind === 'sql') return atMs - this.host.wallMs();
    const trueMs = this.host.wallMs() - this.host.aheadMs;
    return atMs - trueMs - WRITER_AHEAD_MS_MAX;
  }
}
