import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../../auth/core/caller';
import type { RateLimitPolicy } from '../../config/security';
import type { Metrics } from '../metrics';
import { problemReply } from './problems';
import type { Reply } from './reply';

const WINDOW_MS = 60_000;
/** How many callers are counted at once; the one not heard of for longest is forgotten first. */
const COUNTED_MAX = 100_000;

export type LimitName = 'control_room' | 'token' | 'address' | 'refusals' | 'license_key';

interface Count {
  readonly max: number;
  readonly remaining: number;
  readonly resetSeconds: number;
  readonly exceeded: boolean;
}
type Limiter = (request: FastifyRequest, options?: { increment: boolean }) => Promise<Count>;

/**
 * How much one caller may ask of this server. Only what fails is counted closely: a stranger's tries and license keys
 * that nobody has. Who shows a valid token is bounded far above what it needs, so that one that runs wild starves
 * nobody else.
 */
export class RateLimits {
  readonly #limiters: Readonly<Record<LimitName, Limiter>>;
  readonly #metrics: Metrics;

  private constructor(limiters: Readonly<Record<LimitName, Limiter>>, metrics: Metrics) {
    this.#limiters = limiters;
    this.#metrics = metrics;
  }

  static async create(app: FastifyInstance, policy: RateLimitPolicy, metrics: Metrics): Promise<RateLimits> {
    await app.register(rateLimit, { global: false, cache: COUNTED_MAX });
    const limiter = (max: number, keyGenerator?: (request: FastifyRequest) => string): Limiter => {
      const count = app.createRateLimit({ max, timeWindow: WINDOW_MS, ...(keyGenerator ? { keyGenerator } : {}) });
      return async (request, options) => {
        const counted = await count(request, options);
        if (counted.isAllowed) throw new TypeError('nobody is allowed without being counted');
        const { remaining, ttlInSeconds, isExceeded } = counted;
        return { max, remaining, resetSeconds: Math.max(1, ttlInSeconds), exceeded: isExceeded };
      };
    };
    const limiters = {
      control_room: limiter(policy.perControlRoom, ({ caller }) => caller.controlRoom ?? ''),
      token: limiter(policy.perToken, ({ caller }) => caller.name),
      address: limiter(policy.perAddress),
      refusals: limiter(policy.refusalsPerAddress),
      license_key: limiter(policy.licenseKeyAttemptsPerAddress),
    };
    return new RateLimits(limiters, metrics);
  }

  /** Counts a request of a known caller, and says so in the headers. Resolves to the refusal when it is too many. */
  async ofCaller(request: FastifyRequest, reply: FastifyReply, { controlRoom }: Caller): Promise<Reply | undefined> {
    const name = controlRoom === undefined ? 'token' : 'control_room';
    const count = await this.#limiters[name](request);
    reply.header('ratelimit-limit', count.max);
    reply.header('ratelimit-remaining', count.remaining);
    reply.header('ratelimit-reset', count.resetSeconds);
    return this.#refusal(name, count);
  }

  /** Counts a request by the address that it comes from. */
  async ofAddress(request: FastifyRequest): Promise<Reply | undefined> {
    return this.#refusal('address', await this.#limiters.address(request));
  }

  /** Counts a failure of the address. */
  async failed(name: 'refusals' | 'license_key', request: FastifyRequest): Promise<void> {
    await this.#limiters[name](request);
  }

  /** Whether the address has failed too often lately to be looked at again. */
  async afterFailures(name: 'refusals' | 'license_key', request: FastifyRequest): Promise<Reply | undefined> {
    const count = await this.#limiters[name](request, { increment: false });
    return this.#refusal(name, { ...count, exceeded: count.remaining === 0 });
  }

  #refusal(name: LimitName, { max, resetSeconds, exceeded }: Count): Reply | undefined {
    if (!exceeded) return undefined;
    this.#metrics.rateLimited.inc({ limit: name });
    return problemReply('rate_limited', {
      detail: `${LIMITS[name]}: ${max} in a minute`,
      retryAfterSeconds: resetSeconds,
    });
  }
}

const LIMITS: Readonly<Record<LimitName, string>> = {
  control_room: 'requests of one Control Room',
  token: 'requests with one token',
  address: 'requests from one address',
  refusals: 'requests without a valid token from one address',
  license_key: 'registrations with an unknown license key from one address',
};
