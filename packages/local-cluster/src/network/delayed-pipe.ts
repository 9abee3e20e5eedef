import type { Socket } from 'node:net';

/** What a link does to everything on it. */
export interface LinkCondition {
  /** `cut`: packets vanish both ways and nobody is told. `refuse`: connections are reset at once. */
  readonly mode: 'open' | 'cut' | 'refuse';
  /** Added to each direction. */
  readonly delayMs: number;
}

type Item = { readonly kind: 'bytes'; readonly chunk: Buffer } | { readonly kind: 'end' | 'reset' };

/** What may be on the way in one direction; beyond it the source is not read, so that its sender feels the pressure. */
export const IN_FLIGHT_BYTES_MAX = 1024 * 1024;

/**
 * One direction of a connection. Its queue is the network: what the source has sent stays in it for the link's delay,
 * and while the link is cut it stays in it for good, the news that the source has closed included. After a repair it
 * goes on in order, as it would after TCP's retransmissions.
 */
export class DelayedPipe {
  readonly #source: Socket;
  readonly #condition: () => LinkCondition;
  readonly #onCarried: (bytes: number) => void;
  readonly #queue: { readonly dueAt: number; readonly item: Item }[] = [];
  #sink: Socket | undefined;
  #queuedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #sinkIsFull = false;
  #ended = false;

  constructor(source: Socket, condition: () => LinkCondition, onCarried: (bytes: number) => void) {
    this.#source = source;
    this.#condition = condition;
    this.#onCarried = onCarried;
    source.on('data', (chunk: Buffer) => this.#take({ kind: 'bytes', chunk }));
    source.on('end', () => this.#end('end'));
    source.on('close', (hadError) => this.#end(hadError ? 'reset' : 'end'));
  }

  /** The source will send no more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Names the other side, once there is one. */
  deliverTo(sink: Socket): void {
    this.#sink = sink;
    sink.on('drain', () => {
      this.#sinkIsFull = false;
      this.flush();
    });
    this.flush();
  }

  /** Delivers what is due. Called again whenever the link's condition changes. */
  flush(): void {
    clearTimeout(this.#timer);
    const sink = this.#sink;
    if (sink === undefined || this.#condition().mode !== 'open') return;
    for (let next = this.#queue[0]; next !== undefined && !this.#sinkIsFull; next = this.#queue[0]) {
      const waitMs = next.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.flush(), Math.ceil(waitMs));
        break;
      }
      this.#queue.shift();
      this.#deliver(sink, next.item);
    }
    if (this.#queuedBytes < IN_FLIGHT_BYTES_MAX && this.#source.isPaused()) this.#source.resume();
  }

  discard(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#sink = undefined;
  }

  #end(kind: 'end' | 'reset'): void {
    if (this.#ended && kind === 'end') return;
    this.#ended = true;
    this.#take({ kind });
  }

  #take(item: Item): void {
    // A delay that has been shortened must not let later bytes overtake earlier ones.
    const dueAt = Math.max(performance.now() + this.#condition().delayMs, this.#queue.at(-1)?.dueAt ?? 0);
    this.#queue.push({ dueAt, item });
    if (item.kind === 'bytes') this.#queuedBytes += item.chunk.length;
    if (this.#queuedBytes >= IN_FLIGHT_BYTES_MAX) this.#source.pause();
    this.flush();
  }

  #deliver(sink: Socket, item: Item): void {
    if (item.kind === 'end') sink.end();
    if (item.kind === 'reset') sink.destroy();
    if (item.kind !== 'bytes') return;
    this.#queuedBytes -= item.chunk.length;
    this.#onCarried(item.chunk.length);
    if (!sink.destroyed) this.#sinkIsFull = !sink.write(item.chunk);
  }
}
