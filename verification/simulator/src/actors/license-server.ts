import { CHECKPOINT_POLICY, CheckpointWriter } from '@evergrant/server/audit/checkpoint-writer';
import { EpochWork } from '@evergrant/server/epochs/epoch-transactions';
import { ProtectionDuty } from '@evergrant/server/epochs/replication-mode-controller';
import { type AcknowledgementPolicy, Acknowledgements } from '@evergrant/server/epochs/replication-tracker';
import { type AuthorityPolicy, RoleDuty } from '@evergrant/server/epochs/role-monitor';
import type { AuthorityStore } from '@evergrant/server/epochs/store';
import { Entitlements } from '@evergrant/server/granting/entitlements';
import { LeaseCalls } from '@evergrant/server/granting/lease-calls';
import { LeaseDesk } from '@evergrant/server/granting/lease-service';
import { Sweeper } from '@evergrant/server/granting/sweeper';
import type { MonotonicClock } from '@evergrant/server/platform/clock';
import type { Timers, WaitPurpose } from '@evergrant/server/platform/timers';
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
  readonly checkpoints: CheckpointWriter;
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
  const { epochs, replication, leases, entitlements, queries, audit } = options.database;
  const { timers } = host;
  const clock: MonotonicClock = without.has('S7-monotonic') ? { nowMs: () => host.wallMs() } : host;
  const log = quietLog(options.tell, (text) => options.ledger.breaks('log-contradicted', text));
  const shared = { region, server: host.name, clock, log, metrics: QUIET_METRICS, timers };
  const role: RoleDuty = new RoleDuty({
    ...{ ...shared, policy, authorityStore, epochs },
    timers: options.idles === 'seldom' ? rarelyObserving(timers, () => role) : timers,
    authorityPolicy: without.has('S5-acknowledge') ? S5_DISABLED : undefined,
  });
  const triadClaims = () => ({ server: host.name, terms: new Map<string, number>() });
  const work = new EpochWork({ ...shared, role, triadClaims, random: random.next });
  const acknowledgements = new Acknowledgements({
    ...{ ...shared, replication, followerExpected: true },
    policy: acknowledgementPolicy(without),
  });
  const desk = new LeaseDesk({
    ...{ ...shared, policy, leases, work, tokens: mint.tokens, random: random.next, onAdopted: () => undefined },
    acknowledgements,
    entitlements: new Entitlements({ store: entitlements, clock, integrityChecks: { check: async () => undefined } }),
  });
  const idle = { ...shared, timers: lessOften(timers, role, IDLE_TIMES[options.idles]) };
  const protection = new ProtectionDuty({ ...idle, replication, authorityStore, acknowledgements, role, policy });
  const sweeper = new Sweeper({ ...idle, leases, queries, role, triadClaims });
  const checkpoints = new CheckpointWriter({
    ...{ ...shared, role, policy: CHECKPOINT_POLICY, store: options.checkpointStore, timers: host.punctualTimers },
    ...{ audit, signer: SIGNER, readStatement: READ_STATEMENT },
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

/** A proof of authority tolerates an observation that is three seconds old. */
const OBSERVE_TIMES = { primary: 2, follower: 4 };
/** After this many waits for one beacon the server checks as rarely as while it observes. */
const PROMPT_BEACON_WAITS = 3;
const LATE_BEACON_TIMES = 5;

/** Stretches the waits of the role monitor: beside a follower only a promotion changes anything. */
function rarelyObserving(timers: Timers, role: () => RoleDuty): Timers {
  let beaconWaits = 0;
  const times = (purpose: WaitPurpose | undefined): number => {
    if (purpose === 'await_beacon') return ++beaconWaits > PROMPT_BEACON_WAITS ? LATE_BEACON_TIMES : 1;
    if (purpose !== 'observe_role') return 1;
    beaconWaits = 0;
    return role().database.kind === 'read_only' ? OBSERVE_TIMES.follower : OBSERVE_TIMES.primary;
  };
  return { ...timers, after: (ms, run, options) => timers.after(ms * times(options?.purpose), run, options) };
}

const S5_DISABLED: AuthorityPolicy = { mayAcknowledge: () => true };

function acknowledgementPolicy(disabled: Without): AcknowledgementPolicy {
  return {
    mustReach: ({ grants }) => !disabled.has(grants?.borrowed ? 'S2-borrow' : 'S2'),
    needsStreaming: !disabled.has('S2'),
  };
}
