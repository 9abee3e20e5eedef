import type { Socket } from 'node:net';

/** The condition of a link. It applies to all of its connections. */
export interface LinkCondition {
  /** `cut`: packets are dropped in both directions without an error. `refuse`: connections are reset at once. */
  readonly mode: 'open' | 'cut' | 'refuse';
  /** One-way delay, added in each direction. */
  readonly delayMs: number;
}

type Item = { readonly kind: 'bytes'; readonly chunk: Buffer } | { readonly kind: 'end' | 'reset' };

/** Limit of the bytes in flight in one direction. Beyond it the pipe stops reading, so the sender sees backpressure. */
export const IN_FLIGHT_BYTES_MAX = 1024 * 1024;

/**
 * One direction of a connection. The queue stands for the network: bytes from the source stay in it for the link's
 * delay. While the link is cut, the queue keeps everything, including the end of the source. After the repair it
 * delivers in order, as TCP does after retransmissions.
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

  /** The source has ended: it sends no more bytes. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Sets the destination, once the connection to it exists. */
  deliverTo(sink: Socket): void {
    this.#sink = sink;
    sink.on('drain', () => {
      this.#sinkIsFull = false;
      this.flush();
    });
    this.flush();
  }

  /** Delivers the items that are due. Also called whenever the link's condition changes. */
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
    // After the delay is shortened, later bytes must not overtake earlier ones.
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
