import type { ControlRecord } from '@evergrant/controller/core/control-record';
import { PHASES_OF, type Phase, type TimelineEntry } from '@evergrant/controller/core/operations';
import type { ControlStore } from '@evergrant/controller/ports';

export interface Failpoint {
  readonly phase: Phase;
  readonly side: 'before' | 'after';
}

/** Parses `PHASE:before` or `PHASE:after`. @throws RangeError for other text and for an unknown phase */
export function parseFailpoint(text: string): Failpoint {
  const [name, side, rest] = text.split(':');
  const phase = Object.values(PHASES_OF)
    .flat()
    .find((candidate) => candidate === name);
  if (phase === undefined || rest !== undefined || (side !== 'before' && side !== 'after')) {
    throw new RangeError(`"${text}" is not a phase boundary; write for example promote:before`);
  }
  return { phase, side };
}

/**
 * Test double for drills: halts this controller indefinitely at a phase boundary, so that a kill hits it exactly there.
 * `before`: the phase is recorded and none of its effects has happened. `after`: all effects have happened and the end
 * is not recorded.
 */
export class FailpointControlStore implements ControlStore {
  readonly #store: ControlStore;
  readonly #point: Failpoint;
  readonly #onHalt: () => void;
  #operationId: string | undefined = undefined;

  constructor(store: ControlStore, point: Failpoint, onHalt: () => void) {
    this.#store = store;
    this.#point = point;
    this.#onHalt = onHalt;
  }

  read(): ReturnType<ControlStore['read']> {
    return this.#store.read();
  }

  history(limit: number): ReturnType<ControlStore['history']> {
    return this.#store.history(limit);
  }

  async write(write: Parameters<ControlStore['write']>[0]): Promise<'written' | 'conflict'> {
    const entry = this.#entryOf(write.record);
    if (this.#point.side === 'after' && entry !== undefined && entry.leftAtMs !== undefined) return this.#halt();
    const written = await this.#store.write(write);
    if (this.#point.side === 'before' && entry !== undefined && written === 'written') return this.#halt();
    return written;
  }

  #halt(): Promise<never> {
    this.#onHalt();
    return new Promise(() => undefined);
  }

  /** The entry of the phase in the timeline of the current operation, or of the operation that this write completes. */
  #entryOf({ operation, lastOperation }: ControlRecord): TimelineEntry | undefined {
    const ended = lastOperation?.id === this.#operationId ? lastOperation : undefined;
    this.#operationId = operation?.id ?? this.#operationId;
    return (operation ?? ended)?.timeline.find(({ phase }) => phase === this.#point.phase);
  }
}
