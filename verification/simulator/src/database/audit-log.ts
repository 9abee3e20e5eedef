import type { GapVerdict, LogState, RememberedEvent } from '@evergrant/server/audit/store';
import type { Host } from '../topology/host';
import {
  ConstraintViolation,
  type EventRow,
  type Gap,
  type SimulatedTransaction,
  type Tables,
  type Write,
} from './tables';

/** The parts of a database server that the audit log depends on. */
export interface AuditedDatabase {
  readonly tables: Tables;
  readonly era: number;
  readonly role: 'primary' | 'follower';
  readonly host: Host;
}

const SYSTEM = 'system';

const chainOf = (poolId: number): string => `pool/${poolId}`;

export interface AuditedChange {
  readonly chain: string;
  readonly about: string;
}

/** The audit event of a write, by the triggers of packages/server/migrations/0007_audit.sql; undefined if there is none. */
export function auditedChangeOf(write: Write, tables: Tables): AuditedChange | undefined {
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

/** `audit_append`: the event after the chain's newest one, linked to it. */
export function nextEvent(
  { chain, about }: AuditedChange,
  { tables, era, host }: AuditedDatabase,
  gap?: Gap,
): EventRow {
  const newest = tables.chains.get(chain)?.at(-1);
  const seq = (newest?.seq ?? 0) + 1;
  const epoch = tables.newestEpoch?.epoch ?? 0;
  const hash = hashed(`${newest?.hash} ${chain} ${seq} ${epoch} ${era} ${host.wallMs()} ${about}`);
  return { chain, seq, epoch, era, hash, about, ...(gap ? { gap } : {}) };
}

/** FNV-1a: it only has to distinguish histories, not resist attacks. */
function hashed(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return String(hash >>> 0);
}

export function isPresent({ chain, seq, hash }: RememberedEvent, tables: Tables): boolean {
  return eventAt(chain, seq, tables)?.hash === hash;
}

/** Whether the log declares the event as lost. */
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

export function stateOf({ tables, era, role, host }: AuditedDatabase): LogState {
  const heads = [...tables.chains.values()].flatMap((events) => events.at(-1) ?? []);
  return {
    at: new Date(host.wallMs()).toISOString(),
    epoch: tables.newestOpened?.epoch ?? 0,
    era,
    writable: role === 'primary',
    heads: heads.map(({ chain, seq, hash }) => ({ chain, seq, hash, pool: undefined })),
  };
}

/** `evergrant_audit_gap` */
export function declareSimulatedGap(
  lost: RememberedEvent,
  database: AuditedDatabase,
  transaction: SimulatedTransaction,
): GapVerdict {
  const { tables } = database;
  if (lost.epoch >= (tables.newestOpened?.epoch ?? 0))
    throw new ConstraintViolation(`epoch ${lost.epoch} has not ended`);
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
