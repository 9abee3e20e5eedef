import type { Clockwork } from '../time/virtual-clock';
import type { Network } from '../topology/network';
import type { DatabaseServer } from './database-server';

/** How PostgreSQL's own timers are set. */
const SENDER_TIMEOUT_MS = 30_000;
const RECEIVER_TIMEOUT_MS = 30_000;
const RETRY_EVERY_MS = 5_000;
const LOOK_EVERY_MS = 2_500;

/** Faults of one stream, beside those of the network that it runs over. */
export interface StreamFaults {
  /** The log arrives so much later. */
  lagMs: number;
  /** Acknowledgements arrive so much later. */
  acknowledgementLagMs: number;
}

/**
 * A follower streams from a primary database, asynchronously: what was committed arrives later, or not at all when the
 * connection breaks first; acknowledgements come back later still. The two ends notice a broken line each in its own
 * time. After a break the stream goes on where the follower is.
 */
export class Replication {
  readonly primary: DatabaseServer;
  readonly follower: DatabaseServer;
  readonly faults: StreamFaults = { lagMs: 0, acknowledgementLagMs: 0 };
  readonly #clockwork: Clockwork;
  readonly #network: Network;
  /** Whether each end believes in the connection; messages of an earlier one count for nothing. */
  #sending = false;
  #receiving = false;
  #connection = 0;
  #sent = 0;
  #logArrivesAtMs = 0;
  #acknowledged: number | undefined;
  #heardAtMs = 0;
  #repliedAtMs = 0;
  #over = false;

  constructor(options: { primary: DatabaseServer; follower: DatabaseServer; clockwork: Clockwork; network: Network }) {
    this.primary = options.primary;
    this.follower = options.follower;
    this.#clockwork = options.clockwork;
    this.#network = options.network;
    this.primary.onCommit = () => this.#ship();
    this.#connect();
    this.#look();
  }

  /** `pg_stat_replication` on the primary: up to where the follower has flushed; undefined: it does not stream. */
  get acknowledged(): number | undefined {
    return this.#sending ? (this.#acknowledged ?? 0) : undefined;
  }

  get isStreaming(): boolean {
    return this.#sending;
  }

  /** `pg_stat_wal_receiver` on the follower: when it last heard its primary, by virtual time. */
  get heardAtMs(): number | undefined {
    if (!this.#receiving) return undefined;
    return this.#primaryIsHeard ? this.#clockwork.nowMs : this.#heardAtMs;
  }

  /** The line or one of its ends has changed. */
  changed(): void {
    if (this.#over) return;
    const { nowMs } = this.#clockwork;
    if (this.follower.role !== 'follower' || this.follower.host.state === 'down') this.#hangUpReceiver();
    if (this.primary.role !== 'primary' || this.primary.host.state === 'down') this.#hangUpSender();
    if (this.#receiving && this.#primaryIsHeard) this.#heardAtMs = nowMs;
    if (this.#sending && this.#followerIsHeard) this.#repliedAtMs = nowMs;
    if (this.#sending && this.#receiving) {
      this.#ship();
      this.#acknowledge();
    }
  }

  /** One of its ends was taken away. */
  end(): void {
    this.#over = true;
    this.#sending = false;
    this.#receiving = false;
    this.primary.onCommit = () => undefined;
  }

  get #primaryIsHeard(): boolean {
    const { host } = this.primary;
    return this.#sending && host.isRunning && this.#network.isOpen(host.place, this.follower.host.place);
  }

  get #followerIsHeard(): boolean {
    const { host } = this.follower;
    return this.#receiving && host.isRunning && this.#network.isOpen(host.place, this.primary.host.place);
  }

  #connect(): void {
    const { primary, follower } = this;
    const open =
      this.#network.isOpen(primary.host.place, follower.host.place) &&
      this.#network.isOpen(follower.host.place, primary.host.place);
    const both = primary.host.isRunning && follower.host.isRunning;
    if (!open || !both || primary.role !== 'primary' || follower.role !== 'follower') return;
    if (primary.logBetween(follower.position, follower.position) === undefined) return;
    this.#connection += 1;
    this.#sending = true;
    this.#receiving = true;
    this.#sent = follower.position;
    this.#acknowledged = undefined;
    this.#heardAtMs = this.#clockwork.nowMs;
    this.#repliedAtMs = this.#clockwork.nowMs;
    this.#ship();
    this.#acknowledge();
  }

  /** Everything that is committed goes on its way, in order. */
  #ship(): void {
    const { primary, follower } = this;
    const to = primary.position;
    if (!this.#sending || this.#sent >= to || !primary.host.isRunning) return;
    const [here, there] = [primary.host.place, follower.host.place];
    if (!this.#network.isOpen(here, there)) return;
    const from = this.#sent;
    this.#sent = to;
    const connection = this.#connection;
    const atMs = this.#clockwork.nowMs + this.#network.delayMs(here, there) + this.faults.lagMs;
    this.#logArrivesAtMs = Math.max(this.#logArrivesAtMs, atMs);
    this.#clockwork.after(this.#logArrivesAtMs - this.#clockwork.nowMs, () => {
      follower.host.arrive(follower.host.life, () => this.#receive(connection, from, to));
    });
  }

  #receive(connection: number, from: number, to: number): void {
    const { primary, follower } = this;
    if (connection !== this.#connection || !this.#receiving || follower.role !== 'follower') return;
    if (follower.position !== from) return;
    follower.receive(primary.logBetween(from, to) ?? []);
    follower.replay();
    this.#heardAtMs = this.#clockwork.nowMs;
    this.#acknowledge();
  }

  #acknowledge(): void {
    const { primary, follower } = this;
    if (!this.#receiving || !follower.host.isRunning || follower.role !== 'follower') return;
    const [here, there] = [follower.host.place, primary.host.place];
    if (!this.#network.isOpen(here, there)) return;
    const connection = this.#connection;
    const flushed = follower.position;
    this.#clockwork.after(this.#network.delayMs(here, there) + this.faults.acknowledgementLagMs, () => {
      primary.host.arrive(primary.host.life, () => {
        if (connection !== this.#connection || !this.#sending) return;
        this.#acknowledged = Math.max(this.#acknowledged ?? 0, flushed);
        this.#repliedAtMs = this.#clockwork.nowMs;
      });
    });
  }

  /** Each end gives up a line on which nothing comes any more, and the follower tries again now and then. */
  #look(): void {
    if (this.#over) return;
    const { nowMs } = this.#clockwork;
    this.changed();
    if (this.#receiving && nowMs - this.#heardAtMs > RECEIVER_TIMEOUT_MS) this.#hangUpReceiver();
    if (this.#sending && nowMs - this.#repliedAtMs > SENDER_TIMEOUT_MS) this.#hangUpSender();
    if (!this.#receiving && nowMs % RETRY_EVERY_MS < LOOK_EVERY_MS) this.#connect();
    this.#clockwork.afterLived(LOOK_EVERY_MS, () => this.#look());
  }

  /** The other end hears of it when the line is open. */
  #hangUpReceiver(): void {
    if (!this.#receiving) return;
    this.#receiving = false;
    const { primary, follower } = this;
    if (this.#network.isOpen(follower.host.place, primary.host.place)) this.#sending = false;
  }

  #hangUpSender(): void {
    if (!this.#sending) return;
    this.#sending = false;
    const { primary, follower } = this;
    if (this.#network.isOpen(primary.host.place, follower.host.place)) this.#receiving = false;
  }
}
