import { CHECKPOINT_POLICY, CheckpointWriter } from '@evergrant/server/audit/checkpoint-writer';
import { EpochTransactions } from '@evergrant/server/epochs/epoch-transactions';
import { ReplicationModeController } from '@evergrant/server/epochs/replication-mode-controller';
import { ReplicationTracker } from '@evergrant/server/epochs/replication-tracker';
import { RoleMonitor } from '@evergrant/server/epochs/role-monitor';
import type { ServerAuthorityStore } from '@evergrant/server/epochs/store';
import { Entitlements } from '@evergrant/server/granting/entitlements';
import { LeaseCalls } from '@evergrant/server/granting/lease-calls';
import { LeaseEndings } from '@evergrant/server/granting/lease-endings';
import { LeaseService } from '@evergrant/server/granting/lease-service';
import { Sweeper } from '@evergrant/server/granting/sweeper';
import type { MonotonicClock } from '@evergrant/server/platform/clock';
import type { Timers, WaitPurpose } from '@evergrant/server/platform/timers';
import type { Violations } from '../checkers/violations';
import type { SimulatedDatabase } from '../database/license-database';
import type { DisabledRules } from '../mutations';
import type { Random } from '../time/random';
import type { Host } from '../topology/host';
import { acknowledgementPolicy, authorityPolicy } from './apply-mutations';
import type { CheckpointPort } from './checkpoint-store';
import { READ_STATEMENT, SIGNER } from './fake-checkpoint-signer';
import type { FakeSigner } from './fake-signer';
import { REGION_ADDRESSES } from './http';
import { NULL_METRICS, observedLog } from './null-log';
import { TermImports } from './term-imports';

/** How often background jobs run that have no effect: as in the product, less while not granting, or rarely. */
export type Pace = 'full' | 'reduced' | 'rare';

export interface ServerPartsOptions {
  readonly host: Host;
  readonly region: string;
  readonly database: SimulatedDatabase;
  readonly authorityStore: ServerAuthorityStore;
  readonly checkpointStore: CheckpointPort;
  readonly fakeSigner: FakeSigner;
  readonly random: Random;
  readonly violations: Violations;
  readonly disabled: DisabledRules;
  readonly policy: {
    readonly authorityLeaseMs: number;
    readonly renewalEveryMs: number;
    readonly skewMs: number;
    readonly unprotectedAfterMs: number;
  };
  readonly record: (text: string) => void;
  readonly pace: Pace;
}

export interface ServerParts {
  readonly role: RoleMonitor;
  readonly calls: LeaseCalls;
  readonly sweeper: Sweeper;
  readonly endings: LeaseEndings;
  readonly imports: TermImports;
  readonly protection: ReplicationModeController;
  readonly checkpoints: CheckpointWriter;
}

export function startServer({ role, sweeper, endings, protection, checkpoints }: ServerParts): void {
  void role.start();
  sweeper.start();
  endings.start();
  protection.start();
  checkpoints.start();
}

/** Composes a server like packages/server/src/create-server.ts, limited to granting. */
export function assembleServer(options: ServerPartsOptions): ServerParts {
  const { host, region, policy, fakeSigner, random, disabled, authorityStore, violations, pace } = options;
  const { epochs, replication, leases, endings: endingStore, entitlements, queries, audit } = options.database;
  const { timers } = host;
  const clock: MonotonicClock = disabled.has('S7-monotonic') ? { nowMs: () => host.wallMs() } : host;
  const log = observedLog({
    announced: options.record,
    tamperingAlert: (text) => violations.record('audit-contradicted', text),
  });
  const shared = { region, server: host.name, clock, log, metrics: NULL_METRICS, timers };
  const role: RoleMonitor = new RoleMonitor({
    ...shared,
    policy,
    authorityStore,
    epochs,
    timers: pace === 'rare' ? rarelyObserving(timers, () => role) : timers,
    authorityPolicy: authorityPolicy(disabled),
  });
  const triadClaims = () => ({ server: host.name, terms: new Map<string, number>() });
  const transactions = new EpochTransactions({ ...shared, role, triadClaims, random: random.next });
  const replicationTracker = new ReplicationTracker({
    ...shared,
    replication,
    followerExpected: true,
    followerLagMs: () => role.followerLagMs,
    policy: acknowledgementPolicy(disabled),
  });
  const paced = { ...shared, timers: slowed(timers, role, BACKGROUND_TIMES[pace]) };
  const endings = new LeaseEndings({ ...paced, store: endingStore, transactions, replicationTracker, role });
  const leaseService = new LeaseService({
    ...shared,
    policy,
    leases,
    endings,
    transactions,
    tokens: fakeSigner.tokens,
    random: random.next,
    onAdopted: () => undefined,
    replicationTracker,
    entitlements: new Entitlements({ store: entitlements, clock, integrityChecks: { check: async () => undefined } }),
  });
  const protection = new ReplicationModeController({
    ...paced,
    replication,
    authorityStore,
    replicationTracker,
    role,
    policy,
  });
  const sweeper = new Sweeper({ ...paced, leases, queries, role, triadClaims });
  const checkpoints = new CheckpointWriter({
    ...shared,
    role,
    policy: CHECKPOINT_POLICY,
    store: options.checkpointStore,
    timers: host.punctualTimers,
    audit,
    signer: SIGNER,
    readStatement: READ_STATEMENT,
  });
  const calls = new LeaseCalls({ server: host.name, leaseService, role, regionAddresses: REGION_ADDRESSES });
  const imports = new TermImports({ store: options.database.imports, transactions, replicationTracker });
  return { role, imports, calls, sweeper, endings, protection, checkpoints };
}

/** Factors on the waits of the sweeper and the protection job; what they watch for takes minutes. */
const BACKGROUND_TIMES = {
  full: { granting: 1, notGranting: 1 },
  reduced: { granting: 1, notGranting: 8 },
  rare: { granting: 4, notGranting: 16 },
} as const;

function slowed(timers: Timers, role: RoleMonitor, times: { granting: number; notGranting: number }): Timers {
  const factor = (): number => (role.verdict().kind === 'granting' ? times.granting : times.notGranting);
  return { ...timers, after: (ms, run, options) => timers.after(ms * factor(), run, options) };
}

/** A proof of authority tolerates an observation that is three seconds old. */
const OBSERVE_TIMES = { primary: 2, follower: 4 };
/** After this many waits for one beacon the server checks as rarely as while it observes. */
const PROMPT_BEACON_WAITS = 3;
const LATE_BEACON_TIMES = 5;

/** Stretches the waits of the role monitor: beside a follower only a promotion changes anything. */
function rarelyObserving(timers: Timers, role: () => RoleMonitor): Timers {
  let beaconWaits = 0;
  const times = (purpose: WaitPurpose | undefined): number => {
    if (purpose === 'await_beacon') return ++beaconWaits > PROMPT_BEACON_WAITS ? LATE_BEACON_TIMES : 1;
    if (purpose !== 'observe_role') return 1;
    beaconWaits = 0;
    return role().database.kind === 'read_only' ? OBSERVE_TIMES.follower : OBSERVE_TIMES.primary;
  };
  return { ...timers, after: (ms, run, options) => timers.after(ms * times(options?.purpose), run, options) };
}
