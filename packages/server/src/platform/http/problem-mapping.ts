import type { Refusal } from '../../epochs/epoch-transactions';
import type { TriadRefusal } from '../../redundancy/core/triad';
import type { AppOptions } from './app-options';
import { problemReply } from './problems';
import type { Reply } from './reply';

const RETRY_AFTER_SECONDS = 1;

export type WhereToGo = Pick<AppOptions, 'role' | 'regionAddresses'>;

/** The active region, as far as this server knows, and its address. */
export function whereToGo({ role, regionAddresses }: WhereToGo): {
  activeRegion: string | null;
  address: string | null;
} {
  const activeRegion = role.newestEpoch?.region ?? null;
  return { activeRegion, address: activeRegion === null ? null : (regionAddresses[activeRegion] ?? null) };
}

/** Says why nothing was decided, and where to go instead. */
export function refusalReply(refusal: Refusal, options: WhereToGo): Reply {
  const retryAfterSeconds = RETRY_AFTER_SECONDS;
  switch (refusal.kind) {
    case 'not_granting':
      return problemReply('not_granting', {
        retryAfterSeconds,
        members: { ...whereToGo(options), reason: refusal.reason },
      });
    case 'not_in_control':
    case 'no_quorum':
    case 'license_wrong_server':
      return triadReply(refusal, options);
    default:
      return problemReply(refusal.kind, { retryAfterSeconds });
  }
}

/** The license is dedicated to three servers, and this is not the one that grants from it now. */
function triadReply(refusal: TriadRefusal, options: WhereToGo): Reply {
  const retryAfterSeconds = RETRY_AFTER_SECONDS;
  switch (refusal.kind) {
    case 'not_in_control': {
      const { inControl = null, address = null } = refusal;
      const { activeRegion } = whereToGo(options);
      return problemReply('not_granting', {
        detail: inControl === null ? 'no server is in control at this moment' : `${inControl} is in control`,
        retryAfterSeconds,
        members: { activeRegion, address, inControl, reason: refusal.kind },
      });
    }
    case 'no_quorum': {
      const { present, servers } = refusal;
      return problemReply(refusal.kind, {
        detail: `${present.length} of ${servers.join(', ')} can be seen; two must be`,
        retryAfterSeconds,
        members: { present, servers },
      });
    }
    case 'license_wrong_server': {
      const { servers } = refusal;
      return problemReply(refusal.kind, { detail: `it is dedicated to ${servers.join(', ')}`, members: { servers } });
    }
  }
}
