import type { Region } from '@evergrant/core/regions';
import { down, type Fact, up } from './facts';
import type { Policy } from './policy';

/**
 * The authority record: who may grant, and since when. Times are milliseconds since 1970.
 * `opensAtMs` null: latched, not yet open; nobody may grant in this epoch.
 * `renewedAtMs` survives a latch: until the new epoch's region renews, it is the evidence of the old one's last renewal.
 * `readAtMs` is the store's own clock at the moment of reading: one clock judges the store's times.
 */
export interface AuthorityView {
  readonly epoch: number;
  readonly region: Region;
  readonly operationId: string | null;
  readonly latchedAtMs: number;
  readonly opensAtMs: number | null;
  readonly renewedAtMs: number | null;
  readonly renewedBy: string | null;
  readonly readAtMs: number;
}

/** A renewal within the authority lease proves the region's application and its database alive: it vetoes a failover. */
export function renewalFact(authority: AuthorityView, policy: Policy): Fact {
  if (authority.renewedAtMs === null) return down(`${authority.region} has never renewed its authority`);
  const ageMs = authority.readAtMs - authority.renewedAtMs;
  const who = authority.renewedBy ?? authority.region;
  return ageMs <= policy.authorityLeaseMs
    ? up(`${who} renewed the authority ${ageMs} ms ago`)
    : down(`the authority was last renewed ${ageMs} ms ago, by ${who}`);
}
