import { CHECKPOINT_POLICY, CheckpointDuty } from '@evergrant/server/audit/checkpoint-writer';
import { EpochWork } from '@evergrant/server/epochs/epoch-transactions';
import { ProtectionDuty } from '@evergrant/server/epochs/replication-mode-controller';
import { Acknowledgements } from '@evergrant/server/epochs/replication-tracker';
import { RoleDuty } from '@evergrant/server/epochs/role-monitor';
import { Entitlements } from '@evergrant/server/granting/entitlements';
import { LeaseCalls } from '@evergrant/server/granting/lease-calls';
import { LeaseDesk } from '@evergrant/server/granting/lease-service';
import { Sweeper } from '@evergrant/server/granting/sweeper';
import type { Timers } from '@evergrant/server/platform/timers';
import type { AuthorityStore, LicenseDatabase, MonotonicClock } from '@evergrant/server/ports';
import type { Ledger } from '../checkers/grant-checker';
import type { SimulatedDatabase } from '../database/license-database';
import type { Without } from '../mutations';
import type { Random } from '../time/random';
import type { Host } from '../topology/host';
import type { SimulatedCheckpointStore } from './checkpoint-store';
import type { Mint } from './fake-signer';
import { QUIET_METRICS, quietLog } from './null-log';
import { READ_STATEMENT, SIGNER } from './statements';

/** A call of the contract, as it crosses the network. */
export interface HttpCall {
  readonly kind: 'checkout' | 'heartbeat' | 'release' | 'status' | 'livez';
  readonly leaseId?: string | undefined;
  readonly body?: Readonly<Record<string, unknown>> | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfterMs?: number | undefined;
}

export interface LicenseServerOptions {
  readonly host: Host;
  readonly region: string;
  readonly database: SimulatedDatabase;
  readonly authorityStore: AuthorityStore;
  readonly checkpointStore: SimulatedCheckpointStore;
  readonly mint: Mint;
  readonly random: Random;
  readonly ledger: Ledger;
  readonly without: Without;
  readonly policy: {
    readonly authorityLeaseMs: number;
    readonly renewalEveryMs: number;
    readonly skewMs: number;
    readonly unprotectedAfterMs: number;
  };
  readonly tell: (text: string) => void;
  /** How often it does what has no effect: as the product does, seldom while it grants nothing, or seldom. */
  readonly idles: 'often' | 'less' | 'seldom';
}

export const REGION_ADDRESSES = { oregon: 'http://oregon.test', virginia: 'http://virginia.test' } as const;

const CALLER = { name: 'rooms', scopes: ['lease'] } as const;

/** One license server: the product's own duties and its answers, over simulated ports. Each start makes them anew. */
export class LicenseServer {
  readonly host: Host;
  readonly region: string;
  readonly #options: LicenseServerOptions;
  #duties: Duties;

  constructor(options: LicenseServerOptions) {
    this.host = options.host;
    this.region = options.region;
    this.#options = options;
    this.#duties = assemble(options);
    begin(this.#duties);
  }

  /** After a crash: nothing is remembered. */
  start(): void {
    this.host.start();
    this.#duties = assemble(this.#options);
    begin(this.#duties);
  }

  get role(): RoleDuty {
    return this.#duties.role;
  }

  /** Never rejects: what the product throws is a mistake of its own. */
  async handle(call: HttpCall): Promise<HttpAnswer> {
    const arrivedAtMs = this.#options.ledger.nowMs;
    try {
      return await this.#handle(call, arrivedAtMs);
    } catch (failure) {
      const { ledger } = this.#options;
      ledger.breaks('no-fault-of-ours', failure instanceof Error ? failure.message : String(failure));
      return { status: 500, body: { code: 'internal_error' } };
    }
  }

  async #handle({ kind, leaseId = '', body = {} }: HttpCall, arrivedAtMs: number): Promise<HttpAnswer> {
    const { role, calls } = this.#duties;
    switch (kind) {
      case 'livez':
        return { status: 200, body: { status: 'ok' } };
      case 'status': {
        const verdict = role.verdict();
        const { region } = this.#options;
        return {
          status: 200,
          body: { granting: verdict.kind === 'granting', region, epoch: role.newestEpoch?.epoch ?? 0 },
        };
      }
      case 'checkout':
        return this.#told(
          { kind, leaseId, body, arrivedAtMs },
          await calls.checkout({ leaseId, ...body } as CheckoutCall, CALLER_OF),
        );
      case 'heartbeat':
        return this.#told(
          { kind, leaseId, body, arrivedAtMs },
          await calls.heartbeat({ leaseId, ...body } as TokenCall, CALLER_OF),
        );
      case 'release':
        return this.#told(
          { kind, leaseId, body, arrivedAtMs },
          await calls.release({ leaseId, ...body } as TokenCall, CALLER_OF),
        );
    }
  }

  #told(
    call: HttpCall & { readonly arrivedAtMs: number },
    reply: Awaited<ReturnType<LeaseCalls['checkout']>>,
  ): HttpAnswer {
    const { ledger, region } = this.#options;
    const { status, retryAfterSeconds } = reply;
    const body = (reply.body ?? {}) as Readonly<Record<string, unknown>>;
    ledger.answered({ call, status, body, region, server: this.host.name });
    return { status, body, retryAfterMs: retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1_000 };
  }
}

type CheckoutCall = Parameters<LeaseCalls['checkout']>[0];
type TokenCall = Parameters<LeaseCalls['heartbeat']>[0];

const CALLER_OF = { ...CALLER, scopes: [...CALLER.scopes] };

interface Duties {
  readonly role: RoleDuty;
  readonly calls: LeaseCalls;
  readonly sweeper: Sweeper;
  readonly protection: ProtectionDuty;
  readonly checkpoints: CheckpointDuty;
}

function begin({ role, sweeper, protection, checkpoints }: Duties): void {
  void role.start();
  sweeper.start();
  protection.start();
  checkpoints.start();
}

/** As packages/server/src/create-server.ts wires them, as far as granting goes. */
function assemble(options: LicenseServerOptions): Duties {
  const { host, region, policy, mint, random, without, authorityStore } = options;
  // The other verbs of the port are for what is not simulated: nobody calls them.
  const borrows = new Set<string>();
  const port = options.database as unknown as LicenseDatabase;
  const database = without.has('S2-borrow') ? noting(borrows, port) : port;
  const { timers } = host;
  const clock: MonotonicClock = without.has('S7-monotonic') ? { nowMs: () => host.wallMs() } : host;
  const log = quietLog(options.tell, (text) => options.ledger.breaks('log-contradicted', text));
  const shared = { region, server: host.name, database, clock, log, metrics: QUIET_METRICS, timers };
  const role: RoleDuty = withoutProofs(
    new RoleDuty({
      ...{ ...shared, policy, authorityStore },
      timers: options.idles === 'seldom' ? watchingLessOften(timers, () => role) : timers,
    }),
    without,
  );
  const triadClaims = () => ({ server: host.name, terms: new Map<string, number>() });
  const work = new EpochWork({ ...shared, role, triadClaims, random: random.next });
  const acknowledgements = new Acknowledgements({ ...shared, followerExpected: true });
  const desk = new LeaseDesk({
    ...{ ...shared, policy, work, tokens: mint.tokens, random: random.next, onAdopted: () => undefined },
    acknowledgements: withoutWaiting(acknowledgements, without, borrows),
    entitlements: new Entitlements({ database, clock, proofs: { check: async () => undefined } }),
  });
  const idle = { ...shared, timers: lessOften(timers, role, IDLE_TIMES[options.idles]) };
  const protection = new ProtectionDuty({ ...idle, authorityStore, acknowledgements, role, policy });
  const sweeper = new Sweeper({ ...idle, role, triadClaims });
  const checkpoints = new CheckpointDuty({
    ...{ ...shared, role, policy: CHECKPOINT_POLICY, store: options.checkpointStore, timers: host.punctualTimers },
    ...{ signer: SIGNER, readStatement: READ_STATEMENT },
  });
  const calls = new LeaseCalls({ server: host.name, desk, role, regionAddresses: REGION_ADDRESSES });
  return { role, calls, sweeper, protection, checkpoints };
}

const IDLE_TIMES = {
  often: { granting: 1, idle: 1 },
  less: { granting: 1, idle: 8 },
  seldom: { granting: 4, idle: 16 },
} as const;

/** What keeps books and watches for what is minutes away need not do so every second. */
function lessOften(timers: Timers, role: RoleDuty, times: { granting: number; idle: number }): Timers {
  return {
    ...timers,
    after: (ms, run) => timers.after(ms * (role.verdict().kind === 'granting' ? times.granting : times.idle), run),
  };
}

/** How often a role is observed (packages/server/src/epochs/role-monitor.ts), and while a beacon is under way; no other wait is as long. */
const OBSERVE_EVERY_MS = 500;
const AWAIT_ACKNOWLEDGEMENT_EVERY_MS = 100;
/** Beside a primary no longer: an observation older than three seconds is no reason to renew authority. */
const OBSERVED_TIMES = { primary: 2, follower: 4 };
const AWAITED_OFTEN_TIMES = 3;

/** Beside a follower nothing changes but that it is promoted; a beacon that is not there at once may take long. */
function watchingLessOften(timers: Timers, role: () => RoleDuty): Timers {
  let awaitedTimes = 0;
  const stretched = (ms: number): number => {
    if (ms === AWAIT_ACKNOWLEDGEMENT_EVERY_MS) return ++awaitedTimes > AWAITED_OFTEN_TIMES ? OBSERVE_EVERY_MS : ms;
    if (ms !== OBSERVE_EVERY_MS) return ms;
    awaitedTimes = 0;
    return ms * (role().database.kind === 'read_only' ? OBSERVED_TIMES.follower : OBSERVED_TIMES.primary);
  };
  return { ...timers, after: (ms, run) => timers.after(stretched(ms), run) };
}

/** S5 left out: whatever was committed is acknowledged. */
function withoutProofs(role: RoleDuty, without: Without): RoleDuty {
  if (without.has('S5-acknowledge')) role.mayAcknowledge = () => true;
  return role;
}

const nameOf = ({ poolId, seq }: { readonly poolId: number; readonly seq: number }): string => `${poolId}/${seq}`;

/** Remembers which numbers were borrows. */
function noting(borrows: Set<string>, database: LicenseDatabase): LicenseDatabase {
  const grant: LicenseDatabase['grant'] = async (batch) => {
    const outcome = await database.grant(batch);
    if (outcome.kind === 'done' && typeof outcome.result === 'object' && 'verdicts' in outcome.result) {
      for (const verdict of outcome.result.verdicts) {
        if (verdict.kind === 'granted' && verdict.lease.borrowed) borrows.add(nameOf(verdict.lease));
      }
    }
    return outcome;
  };
  return new Proxy(database, {
    get: (target, name) => {
      const member: unknown = name === 'grant' ? grant : Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

/** S2 left out: nobody waits for the follower. */
function withoutWaiting(
  acknowledgements: Acknowledgements,
  without: Without,
  borrows: ReadonlySet<string>,
): Acknowledgements {
  const { reached, knowledge } = acknowledgements;
  acknowledgements.reached = (wanted, terms) => {
    const isBorrow = wanted.grants !== undefined && borrows.has(nameOf(wanted.grants));
    const skip = isBorrow ? without.has('S2-borrow') : without.has('S2');
    return skip ? Promise.resolve(true) : reached.call(acknowledgements, wanted, terms);
  };
  acknowledgements.knowledge = (epoch, poolId) => {
    const known = knowledge.call(acknowledgements, epoch, poolId);
    return without.has('S2') ? { ...known, streaming: true } : known;
  };
  return acknowledgements;
}
