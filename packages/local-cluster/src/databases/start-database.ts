import type { HaPair } from './ha-pair';
import type { ManagedInstance } from './managed-instance';
import { DatabaseOperationError } from './operations';
import type { ReconcileLoop } from './reconcile-loop';
import type { SupervisorStateFile } from './state-file';
import type { DatabaseStatus } from './status';
import type { DatabaseName, Topology } from './topology';

export interface StartContext {
  readonly state: SupervisorStateFile;
  readonly instance: ManagedInstance;
  readonly pair: HaPair;
  readonly loop: ReconcileLoop;
  readonly topology: Topology;
  readonly statusOf: () => DatabaseStatus;
}

const ANSWER_WITHIN_MS = 15_000;
const POLL_EVERY_MS = 50;
/** The exit event of a process that was killed a moment ago arrives within this time. */
const EXIT_EVENT_WITHIN_MS = 100;

/** Starts a database that has ended. Resolves to a sentence for the operator. @throws DatabaseOperationError */
export async function startDatabase(name: DatabaseName, context: StartContext): Promise<string> {
  const { instance, loop, topology } = context;
  if (instance.postgres.isRunning) await delay(EXIT_EVENT_WITHIN_MS);
  if (instance.postgres.isRunning) return `${name} is already running (${context.statusOf().summary}).`;
  if (!topology.isInUse(name)) {
    throw new DatabaseOperationError(`${name} is not in use: its region is being prepared or was archived.`);
  }
  instance.isWanted = true;
  if (name === 'ohio/db') await instance.launch();
  else loop.resetBackoff(name);
  const deadline = performance.now() + ANSWER_WITHIN_MS;
  while (performance.now() < deadline) {
    loop.wake();
    await delay(POLL_EVERY_MS);
    if (instance.health.latest !== undefined) return startedMessage(name, context);
    if (!instance.isWanted) break;
    if (!instance.postgres.isRunning && waitsForSource(name, context)) return waitingMessage(name, context);
  }
  if (instance.postgres.isRunning) return `${name} is running but does not answer yet.`;
  throw new DatabaseOperationError(`${name} could not be started:\n${instance.postgres.logTail()}`);
}

function startedMessage(name: DatabaseName, { statusOf, pair, state }: StartContext): string {
  const { summary, role } = statusOf();
  const isLonelyStandby = role === 'standby' && !pair.primary.postgres.isRunning;
  if (!isLonelyStandby || state.current.isStandbyEligible) return `${name} is running (${summary}).`;
  const { name: primary } = pair.primary;
  return (
    `${name} is running but may miss commits of ${primary}, the last primary database. ` +
    `It will not be promoted. Start ${primary}.`
  );
}

function waitsForSource(name: DatabaseName, { state, topology }: StartContext): boolean {
  if (name === 'ohio/db' || state.current.lineages[name] !== 'stale') return false;
  return topology.sourceOf(name).primary()?.isWritable !== true;
}

function waitingMessage(name: DatabaseName, { topology }: StartContext): string {
  const source = name === 'ohio/db' ? undefined : topology.sourceOf(name).primary();
  const sourceName = source?.name ?? 'a primary database';
  const waiting = `${name} is waiting: it must be rebuilt from ${sourceName}`;
  return source?.postgres.isRunning
    ? `${waiting}, which is not writable yet. The rebuild then starts automatically.`
    : `${waiting}, which is not running. Start ${sourceName} first.`;
}

const delay = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));
