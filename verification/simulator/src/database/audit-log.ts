import type { AuditLog, GapVerdict, LogState, RememberedEvent } from '@evergrant/server/audit/store';
import type { Without } from '../mutations';
import type { Connection } from './connection';
import type { DatabaseServer } from './database-server';
import { ConstraintViolation, type Tables, type Transaction, type Write } from './tables';

/** That events are lost: up to this one of that epoch, as a signed checkpoint knows. */
export type Gap = Pick<RememberedEvent, 'chain' | 'epoch' | 'era' | 'seq'>;

export interface EventRow {
  readonly chain: string;
  readonly seq: number;
  readonly epoch: number;
  readonly era: number;
  readonly hash: string;
  readonly about: string;
  readonly gap?: Gap;
}

const SYSTEM = 'system';

const chainOf = (poolId: number): string => `pool/${poolId}`;

export interface Happening {
  readonly chain: string;
  readonly about: string;
}

/** What the triggers of packages/server/migrations/0007_audit.sql see in a change before it is made; undefined: it is no event. */
export function happeningOf(write: Write, tables: Tables): Happening | undefined {
  switch (write.table) {
    case 'lease': {
      const { id, state, poolId } = write.row;
      return tables.leases.get(id)?.state === state
        ? undefined
        : { chain: chainOf(poolId), about: `lease ${id} ${state}` };
    }
    case 'epoch': {
      const { epoch, opened, closed, unprotected } = write.row;
      return { chain: SYSTEM, about: `epoch ${epoch} ${opened} ${closed} ${unprotected}` };
    }
    default:
      return undefined;
  }
}

/** `audit_append`: after the chain's newest event, linked to it. */
export function nextEvent(
  { chain, about }: Happening,
  { tables, era, host }: Pick<DatabaseServer, 'tables' | 'era' | 'host'>,
  gap?: Gap,
): EventRow {
  const newest = tables.chains.get(chain)?.at(-1);
  const seq = (newest?.seq ?? 0) + 1;
  const epoch = tables.newestEpoch?.epoch ?? 0;
  const hash = hashed(`${newest?.hash} ${chain} ${seq} ${epoch} ${era} ${host.wallMs()} ${about}`);
  return { chain, seq, epoch, era, hash, about, ...(gap ? { gap } : {}) };
}

/** Nobody attacks it: two histories need to look different, and that is all. FNV-1a. */
function hashed(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return String(hash >>> 0);
}

export type SimulatedAuditLog = Pick<AuditLog, 'state' | 'missingOf' | 'declareGap'>;

/** The audit log of a region's database, as far as checkpoints and lost events need it. */
export function auditLogOn(connection: Connection, without: Without): SimulatedAuditLog {
  return {
    state: () => connection.look(({ database }) => stateOf(database)),
    missingOf: (remembered) =>
      connection.look(({ database: { tables } }) => remembered.filter((event) => !isPresent(event, tables))),
    declareGap: (lost, expected) =>
      connection.inEpoch(expected, ({ database, transaction }) => {
        return without.has('audit-gap') ? 'declared' : declareGap(lost, database, transaction);
      }),
  };
}

export function isPresent({ chain, seq, hash }: RememberedEvent, tables: Tables): boolean {
  return eventAt(chain, seq, tables)?.hash === hash;
}

/** The log says that it is lost. */
export function isDeclared({ chain, epoch, era, seq }: Gap, { chains }: Tables): boolean {
  return [chain, SYSTEM].some((inChain) =>
    chains.get(inChain)?.some(({ gap }) => {
      return gap?.chain === chain && gap.epoch === epoch && gap.era === era && gap.seq >= seq;
    }),
  );
}

function eventAt(chain: string, seq: number, { chains }: Tables): EventRow | undefined {
  return chains.get(chain)?.[seq - 1];
}

export function stateOf({ tables, era, role, host }: DatabaseServer): LogState {
  const heads = [...tables.chains.values()].flatMap((events) => events.at(-1) ?? []);
  return {
    at: new Date(host.wallMs()).toISOString(),
    ...{ epoch: tables.newestOpened?.epoch ?? 0, era, writable: role === 'primary' },
    heads: heads.map(({ chain, seq, hash }) => ({ chain, seq, hash, pool: undefined })),
  };
}

/** `evergrant_audit_gap` */
export function declareGap(lost: RememberedEvent, database: DatabaseServer, transaction: Transaction): GapVerdict {
  const { tables } = database;
  if (lost.epoch >= (tables.newestOpened?.epoch ?? 0)) throw new ConstraintViolation(`epoch ${lost.epoch} goes on`);
  const present = eventAt(lost.chain, lost.seq, tables);
  if (present !== undefined && present.epoch <= lost.epoch && present.era <= lost.era) {
    return present.hash === lost.hash ? 'complete' : 'contradicted';
  }
  if (isDeclared(lost, tables)) return 'declared_before';
  const gap = { chain: lost.chain, epoch: lost.epoch, era: lost.era, seq: lost.seq };
  const chain = tables.chains.has(lost.chain) ? lost.chain : SYSTEM;
  transaction.put({ table: 'event', row: nextEvent({ chain, about: `gap ${lost.hash}` }, database, gap) });
  return 'declared';
}
