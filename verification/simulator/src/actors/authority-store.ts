import type { AuthorityView } from '@evergrant/controller/core/authority';
import { type ControlRecord, initialControl } from '@evergrant/controller/core/control-record';
import type { AuthorityStore as ControllerStore, ControlStore } from '@evergrant/controller/ports';
import { OperatingError } from '@evergrant/core/operating-error';
import type { Region } from '@evergrant/core/regions';
import type { AuthorityAnswer, AuthorityStore as ServerStore } from '@evergrant/server/epochs/store';
import { DatabaseFailure } from '@evergrant/server/platform/database-failure';
import type { DisabledRules } from '../mutations';
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

/** Called on each change of the store. Durations are virtual time. */
export interface StoreObserver {
  readonly latched: (epoch: number, region: Region, operationId: string) => void;
  readonly renewed: (region: string) => void;
  readonly opened: (epoch: number, opensInMs: number, lapsedInMs: number) => void;
  readonly controlWritten: (record: ControlRecord) => void;
}

/**
 * The authority store in Ohio. It is linearizable: each call happens at one virtual moment on one row. It follows the SQL
 * of packages/local-cluster/src/adapters/sql-stores.ts and packages/server/src/epochs/sql/renew-authority.ts.
 */
export class SimulatedAuthorityStore {
  readonly host: Host;
  readonly #network: Network;
  readonly #disabled: DisabledRules;
  readonly #observer: StoreObserver;
  #row: AuthorityRow;
  #control: { version: number; record: ControlRecord };

  constructor(options: { host: Host; network: Network; disabled: DisabledRules; observer: StoreObserver }) {
    this.host = options.host;
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
    const ask = <T>(serve: () => T): Promise<T> => this.call(caller, serve);
    return {
      renew: ({ region, server, renew }) => ask(() => this.#renew(region, server, renew)),
      recordUnprotected: ({ epoch, region }) => {
        if (this.#disabled.has('S6')) return Promise.resolve(true);
        return ask(() => {
          if (!this.#isInForce(epoch, region)) return false;
          const since = String(this.host.wallMs());
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
    const ask = async <T>(serve: () => T): Promise<T> => {
      const answer = await this.#ask(caller, serve);
      if (answer === undefined) {
        throw new OperatingError({ code: 'store_unreachable', message: 'no answer', retryable: true });
      }
      return answer.value;
    };
    return {
      authority: {
        read: () => ask(() => this.#view()),
        latch: (latch) => ask(() => this.#latch(latch)),
        open: (opening) => ask(() => this.#open(opening)),
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

  #isOpen({ opensAtMs }: AuthorityRow): boolean {
    return opensAtMs !== undefined && opensAtMs <= this.host.wallMs();
  }

  #isInForce(epoch: number, region: string): boolean {
    return this.#row.epoch === epoch && this.#row.region === region && this.#isOpen(this.#row);
  }

  #renew(region: string, server: string, renew: boolean): AuthorityAnswer {
    const nowMs = this.host.wallMs();
    const open = this.#isOpen(this.#row);
    const renewed = renew && this.#row.region === region && open;
    if (renewed) {
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

  #view(): AuthorityView {
    const { epoch, region, operationId, latchedAtMs, opensAtMs, renewedAtMs, renewedBy } = this.#row;
    const readAtMs = this.host.wallMs();
    return { epoch, region, operationId, latchedAtMs, opensAtMs, renewedAtMs, renewedBy, readAtMs };
  }

  #latch({ fromEpoch, region, operationId }: Parameters<ControllerStore['latch']>[0]): 'written' | 'conflict' {
    if (this.#row.epoch !== fromEpoch) return 'conflict';
    const latchedAtMs = this.host.wallMs();
    const epoch = fromEpoch + 1;
    this.#row = { ...this.#row, epoch, region, operationId, latchedAtMs, opensAtMs: undefined, lapsedAtMs: undefined };
    this.#observer.latched(epoch, region, operationId);
    return 'written';
  }

  #open({ epoch, operationId, lapsedAtMs }: Parameters<ControllerStore['open']>[0]): 'written' | 'conflict' {
    const row = this.#row;
    if (row.epoch !== epoch || row.operationId !== operationId || row.opensAtMs !== undefined) return 'conflict';
    const nowMs = this.host.wallMs();
    const lapsed = this.#disabled.has('S5-lapse') ? nowMs : lapsedAtMs;
    const opensAtMs = Math.max(nowMs, lapsed);
    this.#row = { ...row, opensAtMs, lapsedAtMs: lapsed };
    this.#observer.opened(epoch, opensAtMs - nowMs, lapsed - nowMs);
    return 'written';
  }
}
