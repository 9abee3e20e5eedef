import type { AuditEvent } from '@evergrant/formats/audit/event';
import type { AuditLog, LogState } from './store';

export interface EventFilter {
  readonly chain?: string | undefined;
  readonly kind?: string | undefined;
  /** ISO 8601. */
  readonly since?: string | undefined;
  /** ISO 8601, exclusive. */
  readonly until?: string | undefined;
  /** Only chains of pools of this license. */
  readonly licenseId?: string | undefined;
  /** Only events after this one. */
  readonly after?: { readonly chain: string; readonly seq: number } | undefined;
}

const SECTION_EVENTS = 2_000;

/**
 * Yields the events that exist at the start of the call, sorted by chain name and seq. It reads short sections, so that
 * neither memory nor a transaction grows with the log.
 */
export async function* readEvents(audit: AuditLog, filter: EventFilter): AsyncGenerator<AuditEvent> {
  const { since, until, kind, after } = filter;
  const state = await audit.state();
  const bounds = since === undefined && until === undefined ? undefined : await audit.bounds({ since, until });
  for (const { chain, seq } of chainsOf(state, filter)) {
    const { first, last } = bounds?.get(chain) ?? { first: 1, last: seq };
    let afterSeq = Math.max(first - 1, after?.chain === chain ? after.seq : 0);
    const end = Math.min(last, seq);
    while (afterSeq < end) {
      const untilSeq = Math.min(end, afterSeq + SECTION_EVENTS);
      yield* await audit.readSection({ chain, afterSeq, untilSeq, kind, since, until });
      afterSeq = untilSeq;
    }
  }
}

function chainsOf({ heads }: LogState, { chain: only, licenseId, after }: EventFilter): LogState['heads'] {
  return heads.filter(
    ({ chain, pool }) =>
      (only === undefined || chain === only) &&
      (licenseId === undefined || pool?.licenseId === licenseId) &&
      (after === undefined || chain >= after.chain),
  );
}
