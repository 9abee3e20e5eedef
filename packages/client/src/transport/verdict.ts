import type { GracePeriodPolicy } from '../core/grace-period';
import type { Grant, HttpResponseVerdict, QueueEntry } from '../core/verdict';
import type { CallResponse, TransportResult } from './call';

/** Smaller differences of clocks are ignored, because the `Date` header has a resolution of one second. */
const CLOCK_TOLERANCE_MS = 2_000;

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function instantMs(value: unknown): number | undefined {
  const atMs = Date.parse(text(value) ?? '');
  return Number.isNaN(atMs) ? undefined : atMs;
}

/**
 * Server time of the response (S7): `serverTime` of the body if present. Otherwise the wall clock if it agrees with the
 * `Date` header, and the `Date` header if not.
 */
function serverNowMs({ body, serverDateMs }: CallResponse, wallMs: number): number {
  const serverTimeMs = instantMs(body.serverTime);
  if (serverTimeMs !== undefined) return serverTimeMs;
  if (serverDateMs === undefined) return wallMs;
  return Math.abs(serverDateMs - wallMs) <= CLOCK_TOLERANCE_MS ? wallMs : serverDateMs;
}

/** Converts a server timestamp, or a number of seconds, to a duration from now. */
function durationMs(value: unknown, nowMs: number): number | undefined {
  if (typeof value === 'number') return value * 1_000;
  const atMs = instantMs(value);
  return atMs === undefined ? undefined : Math.max(0, atMs - nowMs);
}

/** Reads the outage policy of a response body or of token claims. */
export function policyOf(value: unknown): GracePeriodPolicy | undefined {
  const { graceSeconds, suspendAfterSeconds } = (value ?? {}) as Record<string, unknown>;
  if (typeof graceSeconds !== 'number' || typeof suspendAfterSeconds !== 'number') return undefined;
  return { graceMs: graceSeconds * 1_000, suspendAfterMs: suspendAfterSeconds * 1_000 };
}

function grantOf(response: CallResponse, wallMs: number): Grant | undefined {
  const { body, sentAtMs } = response;
  const nowMs = serverNowMs(response, wallMs);
  const expiresInMs = durationMs(body.expiresAt, nowMs);
  const token = text(body.token);
  if (expiresInMs === undefined || token === undefined) return undefined;
  return {
    leaseId: text(body.leaseId),
    licenseId: text(body.licenseId),
    token,
    epoch: typeof body.epoch === 'number' ? body.epoch : 0,
    servedBy: text(body.servedBy) ?? 'unknown',
    expiresInMs,
    heartbeatInMs: durationMs(body.heartbeatAfter, nowMs) ?? expiresInMs / 3,
    sentAtMs,
    serverTimeMs: instantMs(body.serverTime) ?? response.serverDateMs,
    policy: policyOf(body.policy),
    borrowed: body.borrowed === true,
    overdraft: body.overdraft === true,
  };
}

function queueEntryOf({ body, retryAfterMs }: CallResponse): QueueEntry | undefined {
  const { position, retryAfter } = body;
  const token = text(body.token);
  if (typeof position !== 'number' || token === undefined) return undefined;
  return {
    position,
    token,
    retryInMs: typeof retryAfter === 'number' ? retryAfter * 1_000 : (retryAfterMs ?? 1_000),
  };
}

const unavailable = (reason: string, retryAfterMs?: number): HttpResponseVerdict => ({
  kind: 'unavailable',
  reason,
  retryAfterMs,
});

/** Only this code of a 404 comes from the license server: a proxy's 404 says nothing about the lease. */
const LEASE_IS_UNKNOWN = 'lease_not_found';

const REQUEST_TIMEOUT = 408;
const MISDIRECTED = 421;
const TOO_EARLY = 425;
const TOO_MANY_REQUESTS = 429;

/**
 * Classifies a response for the retry policy.
 *
 * @param wallMs the client's wall clock at the time of the response
 */
export function responseVerdict(answer: TransportResult, wallMs: number): HttpResponseVerdict {
  if (answer.kind === 'no_response') return unavailable(answer.reason);
  switch (answer.status) {
    case 204:
      return { kind: 'done', grant: undefined };
    case 200:
    case 201: {
      const grant = grantOf(answer, wallMs);
      return grant ? { kind: 'done', grant } : unavailable('the response is not a lease');
    }
    case 202: {
      const entry = queueEntryOf(answer);
      return entry ? { kind: 'queued', entry } : unavailable('the response is not a queue entry');
    }
    default:
      return problemVerdict(answer);
  }
}

function problemVerdict({ status, body, retryAfterMs }: CallResponse): HttpResponseVerdict {
  const code = text(body.code) ?? `http_${status}`;
  switch (status) {
    case 409:
      if (code === 'no_seat_available') return { kind: 'no_seat_available' };
      break;
    case 410:
      return { kind: 'ended', code };
    case 404:
      if (code === LEASE_IS_UNKNOWN) return { kind: 'ended', code };
      break;
    case 503:
      if (code === 'not_granting') return { kind: 'not_granting', address: text(body.address), retryAfterMs };
      break;
    // The license is bound to other servers. Another configured address may serve it.
    case MISDIRECTED:
      return { kind: 'not_granting', address: undefined, retryAfterMs };
    case REQUEST_TIMEOUT:
    case TOO_EARLY:
      return unavailable(code, retryAfterMs);
    case TOO_MANY_REQUESTS:
      return { kind: 'busy', reason: code, retryAfterMs };
  }
  if (status >= 500) return unavailable(code, retryAfterMs);
  return { kind: 'refused', status, code, detail: text(body.detail) ?? text(body.title) ?? '' };
}
