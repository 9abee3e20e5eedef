import type { Region } from '@evergrant/core/regions';
import { down, type Fact, up } from './facts';
import type { Policy } from './policy';

/**
 * The authority record: the region that may grant, and since when. Times are milliseconds since 1970.
 * `opensAtMs` undefined: the epoch is latched and not open; no region may grant in it.
 * `renewedAtMs` is kept by a latch: until the new region renews, it is the evidence of the old region's last renewal.
 * `readAtMs` is the store's own clock at the moment of reading, so one clock judges the store's times.
 */
export interface AuthorityView {
  readonly epoch: number;
  readonly region: Region;
  readonly operationId: string | undefined;
  readonly latchedAtMs: number;
  readonly opensAtMs: number | undefined;
  readonly renewedAtMs: number | undefined;
  readonly renewedBy: string | undefined;
  readonly readAtMs: number;
}

/** A renewal within the authority lease proves the region's application and database alive. It vetoes a failover. */
export function renewalFact(authority: AuthorityView, policy: Policy): Fact {
  if (authority.renewedAtMs === undefined) return down(`${authority.region} has never renewed its authority`);
  const ageMs = authority.readAtMs - authority.renewedAtMs;
  const server = authority.renewedBy ?? authority.region;
  return ageMs <= policy.authorityLeaseMs
    ? up(`${server} renewed the authority ${ageMs} ms ago`)
    : down(`the authority was last renewed ${ageMs} ms ago, by ${server}`);
}
