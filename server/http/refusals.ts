import type { Refusal } from '../duties/epoch-work';
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
  if (refusal.kind !== 'not_granting') return problemReply(refusal.kind, { retryAfterSeconds });
  return problemReply('not_granting', {
    retryAfterSeconds,
    members: { ...whereToGo(options), reason: refusal.because },
  });
}
