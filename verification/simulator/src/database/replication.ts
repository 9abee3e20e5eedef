import type { VirtualClock } from '../time/virtual-clock';
import type { Network } from '../topology/network';
import type { DatabaseServer } from './database-server';

/** PostgreSQL's settings: wal_sender_timeout, wal_receiver_timeout, wal_retrieve_retry_interval. */
const SENDER_TIMEOUT_MS = 30_000;
const RECEIVER_TIMEOUT_MS = 30_000;
const RETRY_EVERY_MS = 5_000;
const CHECK_EVERY_MS = 2_500;

/** Faults of one stream in addition to those of the network. */
export interface StreamFaults {
  /** Additional delay of the log. */
  lagMs: number;
  /** Additional delay of acknowledgements. */
  acknowledgementLagMs: number;
}

/**
 * Asynchronous streaming replication. Commits arrive later, or not at all when the connection breaks first, and
 * acknowledgements later still. Each end detects a broken connection by its own time-out. A new connection continues at
 * the follower's position.
 */
export class Replication {
  readonly primary: DatabaseServer;
  readonly follower: DatabaseServer;
  readonly faults: StreamFaults = { lagMs: 0, acknowledgementLagMs: 0 };
  readonly #virtualClock: VirtualClock;
  readonly #network: Network;
  /** Whether each end considers the connection open; messages of earlier connections are ignored. */
  #sending = false;
  #receiving = false;
  #connection = 0;
  #sent = 0;
  #logArrivesAtMs = 0;
  #acknowledged: number | undefined;
  #heardAtMs = 0;
  #repliedAtMs = 0;
  #over = false;

  constructor(options: {
    primary: DatabaseServer;
    follower: DatabaseServer;
    virtualClock: VirtualClock;
    network: Network;
  }) {
    this.primary = options.primary;
    this.follower = options.follower;
    this.#virtualClock = options.virtualClock;
    this.#network = options.network;
    this.primary.onCommit = () => this.#ship();
    this.#connect();
    this.#check();
  }

  /** `pg_stat_replication` on the primary: the follower's flushed position; undefined while it does not stream. */
  get acknowledged(): number | undefined {
    return this.#sending ? (this.#acknowledged ?? 0) : undefined;
  }

  get isStreaming(): boolean {
    return this.#sending;
  }

  /** `pg_stat_wal_receiver` on the follower: virtual time of the primary's last message. */
  get heardAtMs(): number | undefined {
    if (!this.#receiving) return undefined;
    return this.#primaryIsHeard ? this.#virtualClock.nowMs : this.#heardAtMs;
  }

  /** Called when the link or one of its ends has changed. */
  changed(): void {
    if (this.#over) return;
    const { nowMs } = this.#virtualClock;
    if (this.follower.role !== 'follower' || this.follower.host.state === 'down') this.#hangUpReceiver();
    if (this.primary.role !== 'primary' || this.primary.host.state === 'down') this.#hangUpSender();
    if (this.#receiving && this.#primaryIsHeard) this.#heardAtMs = nowMs;
    if (this.#sending && this.#followerIsHeard) this.#repliedAtMs = nowMs;
    if (this.#sending && this.#receiving) {
      this.#ship();
      this.#acknowledge();
    }
  }

  /** Called when one of its ends was removed. */
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
    this.#heardAtMs = this.#virtualClock.nowMs;
    this.#repliedAtMs = this.#virtualClock.nowMs;
    this.#ship();
    this.#acknowledge();
  }

  /** Sends all new commits in order. */
  #ship(): void {
    const { primary, follower } = this;
    const to = primary.position;
    if (!this.#sending || this.#sent >= to || !primary.host.isRunning) return;
    const [here, there] = [primary.host.place, follower.host.place];
    if (!this.#network.isOpen(here, there)) return;
    const from = this.#sent;
    this.#sent = to;
    const connection = this.#connection;
    const atMs = this.#virtualClock.nowMs + this.#network.delayMs(here, there) + this.faults.lagMs;
    this.#logArrivesAtMs = Math.max(this.#logArrivesAtMs, atMs);
    this.#virtualClock.after(this.#logArrivesAtMs - this.#virtualClock.nowMs, () => {
      follower.host.arrive(follower.host.life, () => this.#receive(connection, from, to));
    });
  }

  #receive(connection: number, from: number, to: number): void {
    const { primary, follower } = this;
    if (connection !== this.#connection || !this.#receiving || follower.role !== 'follower') return;
    if (follower.position !== from) return;
    follower.receive(primary.logBetween(from, to) ?? []);
    follower.replay();
    this.#heardAtMs = this.#virtualClock.nowMs;
    this.#acknowledge();
  }

  #acknowledge(): void {
    const { primary, follower } = this;
    if (!this.#receiving || !follower.host.isRunning || follower.role !== 'follower') return;
    const [here, there] = [follower.host.place, primary.host.place];
    if (!this.#network.isOpen(here, there)) return;
    const connection = this.#connection;
    const flushed = follower.position;
    this.#virtualClock.after(this.#network.delayMs(here, there) + this.faults.acknowledgementLagMs, () => {
      primary.host.arrive(primary.host.life, () => {
        if (connection !== this.#connection || !this.#sending) return;
        this.#acknowledged = Math.max(this.#acknowledged ?? 0, flushed);
        this.#repliedAtMs = this.#virtualClock.nowMs;
      });
    });
  }

  /** Each end closes a silent connection after its time-out, and the follower reconnects periodically. */
  #check(): void {
    if (this.#over) return;
    const { nowMs } = this.#virtualClock;
    this.changed();
    if (this.#receiving && nowMs - this.#heardAtMs > RECEIVER_TIMEOUT_MS) this.#hangUpReceiver();
    if (this.#sending && nowMs - this.#repliedAtMs > SENDER_TIMEOUT_MS) this.#hangUpSender();
    if (!this.#receiving && nowMs % RETRY_EVERY_MS < CHECK_EVERY_MS) this.#connect();
    this.#virtualClock.afterActive(CHECK_EVERY_MS, () => this.#check());
  }

  /** The other end notices at once while the link is open. */
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
