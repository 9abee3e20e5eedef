/** The result of one observation. `unknown` is a value and means hold: it is never rounded to up or down. */
export type Reading = 'up' | 'down' | 'unknown';

/** A reading with its evidence in one sentence for people. */
export interface Fact {
  readonly reading: Reading;
  readonly reason: string;
}

export function up(reason: string): Fact {
  return { reading: 'up', reason };
}

export function down(reason: string): Fact {
  return { reading: 'down', reason };
}

export function unknown(reason: string): Fact {
  return { reading: 'unknown', reason };
}

/**
 * The facts of one cycle about the region that is active now.
 *
 * - `app`: does any license server of the active region answer through its own router?
 * - `database`: does the active region's primary database answer SQL over the network?
 * - `follower`: does the standby's follower receive from the primary database? (up = it does)
 * - `witness`: the state of the active region's application as an observer outside both regions sees it
 * - `renewal`: has the active region renewed its authority within the authority lease?
 * - `standby`: can the standby take over? (the gate: up = ready, down = not ready, unknown = cannot be determined)
 */
export interface Facts {
  readonly app: Fact;
  readonly database: Fact;
  readonly follower: Fact;
  readonly witness: Fact;
  readonly renewal: Fact;
  readonly standby: Fact;
}
