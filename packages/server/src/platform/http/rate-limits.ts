import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../../auth/core/caller';
import type { RateLimitPolicy } from '../../config/security';
import type { Metrics } from '../metrics';
import { problemReply } from './problems';
import type { ProblemReply } from './reply';
import { RequestBudgets } from './request-budgets';

const WINDOW_MS = 60_000;
/** How many callers are counted at once. The least recently seen caller is dropped first. */
const COUNTED_MAX = 100_000;

type LimitByAddress = 'address' | 'refusals' | 'license_key';
export type LimitName = 'control_room' | 'token' | LimitByAddress;

interface Count {
  readonly max: number;
  readonly remaining: number;
  readonly resetSeconds: number;
  readonly exceeded: boolean;
}
type Limiter = (request: FastifyRequest, options?: { increment: boolean }) => Promise<Count>;

/**
 * Limits the requests of one caller. The limits on failures are strict: requests without a valid token, and
 * registrations with an unknown license key. The limits of callers with a valid token are far above normal use, so that
 * one faulty client cannot starve the others.
 */
export class RateLimits {
  readonly #limiters: Readonly<Record<LimitByAddress, Limiter>>;
  readonly #budgets: RequestBudgets;
  readonly #metrics: Metrics;

  private constructor(limiters: Readonly<Record<LimitByAddress, Limiter>>, budgets: RequestBudgets, metrics: Metrics) {
    this.#limiters = limiters;
    this.#budgets = budgets;
    this.#metrics = metrics;
  }

  static async create(app: FastifyInstance, policy: RateLimitPolicy, metrics: Metrics): Promise<RateLimits> {
    await app.register(rateLimit, { global: false, cache: COUNTED_MAX });
    const limiter = (max: number): Limiter => {
      const count = app.createRateLimit({ max, timeWindow: WINDOW_MS });
      return async (request, options) => {
        const counted = await count(request, options);
        if (counted.isAllowed) throw new TypeError('the rate limiter let a request pass without counting it');
        const { remaining, ttlInSeconds, isExceeded } = counted;
        return { max, remaining, resetSeconds: Math.max(1, ttlInSeconds), exceeded: isExceeded };
      };
    };
    const limiters = {
      address: limiter(policy.perAddress),
      refusals: limiter(policy.refusalsPerAddress),
      license_key: limiter(policy.licenseKeyAttemptsPerAddress),
    };
    return new RateLimits(limiters, new RequestBudgets(policy, () => performance.now()), metrics);
  }

  /** Counts a request of a known caller and sets the rate-limit headers. Returns a refusal above the limit. */
  ofCaller(reply: FastifyReply, caller: Caller): ProblemReply | undefined {
    const count = this.#budgets.charge(caller, 1);
    reply.header('ratelimit-limit', count.max);
    reply.header('ratelimit-remaining', count.remaining);
    reply.header('ratelimit-reset', count.resetSeconds);
    return this.#refusal(count.name, count);
  }

  /** Charges a message of a session, one unit for each lease that it touches. Returns a refusal above the limit. */
  ofMessage(caller: Caller, leases: number): ProblemReply | undefined {
    const count = this.#budgets.charge(caller, leases);
    return this.#refusal(count.name, count);
  }

  /** Counts a request by its source address. */
  async ofAddress(request: FastifyRequest): Promise<ProblemReply | undefined> {
    return this.#refusal('address', await this.#limiters.address(request));
  }

  /** Counts a failed request of the address. */
  async failed(name: 'refusals' | 'license_key', request: FastifyRequest): Promise<void> {
    await this.#limiters[name](request);
  }

  /** Resolves to a refusal when the address has reached its limit of failures. */
  async afterFailures(name: 'refusals' | 'license_key', request: FastifyRequest): Promise<ProblemReply | undefined> {
    const count = await this.#limiters[name](request, { increment: false });
    return this.#refusal(name, { ...count, exceeded: count.remaining === 0 });
  }

  #refusal(name: LimitName, { max, resetSeconds, exceeded }: Count): ProblemReply | undefined {
    if (!exceeded) return undefined;
    this.#metrics.rateLimited.inc({ limit: name });
    return problemReply('rate_limited', {
      detail: `${LIMITS[name]}: at most ${max} per minute`,
      retryAfterSeconds: resetSeconds,
    });
  }
}

const LIMITS: Readonly<Record<LimitName, string>> = {
  control_room: 'requests and renewed leases of one Control Room',
  token: 'requests and renewed leases with one token',
  address: 'requests from one address',
  refusals: 'requests without a valid token from one address',
  license_key: 'registrations with an unknown license key from one address',
};
