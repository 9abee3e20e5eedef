import type { FastifyReply } from 'fastify';
import type { Refusal } from '../duties/epoch-work';
import type { AppOptions } from './app-options';
import { sendProblem } from './problems';

const RETRY_AFTER_SECONDS = 1;

/** Where to go instead: the active region, as far as this server knows, and its address. */
export function sendRefusal(
  reply: FastifyReply,
  refusal: Refusal,
  { role, regionAddresses }: Pick<AppOptions, 'role' | 'regionAddresses'>,
): FastifyReply {
  const retryAfterSeconds = RETRY_AFTER_SECONDS;
  if (refusal.kind !== 'not_granting') return sendProblem(reply, refusal.kind, { retryAfterSeconds });
  const activeRegion = role.newestEpoch?.region ?? null;
  const address = activeRegion === null ? null : (regionAddresses[activeRegion] ?? null);
  return sendProblem(reply, 'not_granting', {
    retryAfterSeconds,
    members: { activeRegion, address, reason: refusal.because },
  });
}
