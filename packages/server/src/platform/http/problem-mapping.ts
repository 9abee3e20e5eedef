import type { Refusal } from '../../epochs/epoch-transactions';
import type { TriadRefusal } from '../../redundancy/core/triad';
import type { AppOptions } from './app-options';
import { problemReply } from './problems';
import type { ProblemReply } from './reply';

const RETRY_AFTER_SECONDS = 1;

export type WhereToGo = Pick<AppOptions, 'role' | 'regionAddresses'>;

/** The active region and its address, by this server's newest facts. */
export function whereToGo({ role, regionAddresses }: WhereToGo): {
  activeRegion: string | null;
  address: string | null;
} {
  const activeRegion = role.newestEpoch?.region ?? null;
  return { activeRegion, address: activeRegion === null ? null : (regionAddresses[activeRegion] ?? null) };
}

/** The answer to a request that was not decided: the reason, and the address to use instead. */
export function refusalReply(refusal: Refusal, options: WhereToGo): ProblemReply {
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
    case 'not_protected':
      return problemReply(refusal.kind, {
        retryAfterSeconds,
        ...(refusal.detail === undefined ? {} : { detail: refusal.detail }),
      });
    default:
      return problemReply(refusal.kind, { retryAfterSeconds });
  }
}

/** The answer when the license is dedicated to three servers and this server is not in control of it. */
function triadReply(refusal: TriadRefusal, options: WhereToGo): ProblemReply {
  const retryAfterSeconds = RETRY_AFTER_SECONDS;
  switch (refusal.kind) {
    case 'not_in_control': {
      const { inControl = null, address = null } = refusal;
      const { activeRegion } = whereToGo(options);
      return problemReply('not_granting', {
        detail: inControl === null ? 'no server is in control now' : `${inControl} is in control`,
        retryAfterSeconds,
        members: { activeRegion, address, inControl, reason: refusal.kind },
      });
    }
    case 'no_quorum': {
      const { present, servers } = refusal;
      return problemReply(refusal.kind, {
        detail: `${present.length} of ${servers.join(', ')} can be reached; two are required`,
        retryAfterSeconds,
        members: { present, servers },
      });
    }
    case 'license_wrong_server': {
      const { servers } = refusal;
      return problemReply(refusal.kind, {
        detail: `the license is dedicated to ${servers.join(', ')}`,
        members: { servers },
      });
    }
  }
}
