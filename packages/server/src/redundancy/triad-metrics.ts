import { Counter, Gauge, type Registry } from 'prom-client';
import { triadName } from './core/triad';
import type { TriadView } from './election';

/** The label `triad` holds the names of the three servers, in the order of the license. */
export class TriadMetrics {
  readonly acquired: Counter<'triad'>;
  readonly #present: Gauge<'triad'>;
  readonly #inControl: Gauge<'triad'>;
  readonly #term: Gauge<'triad'>;

  constructor(registry: Registry) {
    const shared = { registers: [registry], labelNames: ['triad'] as const };
    this.acquired = new Counter({
      ...shared,
      name: 'evergrant_triad_control_taken_total',
      help: 'Number of times this server acquired control of a triad',
    });
    this.#present = new Gauge({
      ...shared,
      name: 'evergrant_triad_servers_present',
      help: 'Servers of a triad with a recent heartbeat; below 2 nothing is granted',
    });
    this.#inControl = new Gauge({
      ...shared,
      name: 'evergrant_triad_in_control',
      help: '1 while this server is in control of a triad; the sum over the servers of a triad is 1',
    });
    this.#term = new Gauge({ ...shared, name: 'evergrant_triad_term', help: 'Newest term of a triad' });
  }

  show(views: readonly TriadView[], self: string): void {
    for (const gauge of [this.#present, this.#inControl, this.#term]) gauge.reset();
    for (const { servers, inControl, term } of views) {
      const triad = triadName(servers.map(({ server }) => server));
      this.#present.set({ triad }, servers.filter(({ view }) => view === 'present').length);
      this.#inControl.set({ triad }, inControl === self ? 1 : 0);
      this.#term.set({ triad }, term);
    }
  }
}
