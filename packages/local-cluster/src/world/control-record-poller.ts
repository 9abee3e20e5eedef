import type { AuthorityView as AuthorityRecord } from '@evergrant/controller/core/authority';
import type { ControlRecord } from '@evergrant/controller/core/control-record';
import type { Ports } from '@evergrant/controller/ports';
import type { AuthorityStatus, ControllerView } from './state';

const INTERVAL_MS = 1_000;

/** Reads the authority and the control record about once a second for the status. */
export class ControlRecordPoller {
  readonly #stores: Pick<Ports, 'authority' | 'control'>;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  authority: AuthorityStatus | undefined;
  controller: ControllerView | undefined;

  constructor(stores: Pick<Ports, 'authority' | 'control'>) {
    this.#stores = stores;
  }

  start(): void {
    const round = async (): Promise<void> => {
      await this.poll();
      if (!this.#stopped) this.#timer = setTimeout(() => void round(), INTERVAL_MS);
    };
    void round();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Reads both records once. A record that cannot be read becomes undefined. */
  async poll(): Promise<void> {
    try {
      const [authority, { record }] = await Promise.all([this.#stores.authority.read(), this.#stores.control.read()]);
      this.authority = viewOfAuthority(authority);
      this.controller = viewOfControl(record, Date.now());
    } catch {
      this.authority = undefined;
      this.controller = undefined;
    }
  }
}

function viewOfAuthority({ epoch, region, opensAtMs, readAtMs }: AuthorityRecord): AuthorityStatus {
  return { epoch, region, open: opensAtMs !== undefined && opensAtMs <= readAtMs };
}

function viewOfControl(record: ControlRecord, nowMs: number): ControllerView {
  const { verdictState, automation, operation, pendingFences, lastCycleAtMs } = record;
  const verdict = verdictState?.verdict;
  const count = verdict?.kind === 'confirming' ? ` ${verdict.count} of ${verdict.needed}` : '';
  return {
    verdict: verdict ? `${verdict.kind}${count}` : 'no verdict yet',
    why: operation?.stuck?.reason ?? verdict?.reason ?? '',
    automation: automation.state,
    operation: operation ? `${operation.kind}: ${operation.phase}` : undefined,
    pendingFences: pendingFences.map(({ region }) => region),
    lastCycleAgeMs: lastCycleAtMs === undefined ? undefined : Math.max(0, nowMs - lastCycleAtMs),
  };
}
