import type { Static } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import type { Caller } from '../auth/core/caller';
import type { AppOptions } from '../platform/http/app-options';
import { problemResponses, sendProblem } from '../platform/http/problems';
import { PAGE_SIZE_DEFAULT } from '../platform/http/schemas';
import { Queue, QueueQuery } from '../queue/schemas';
import { Lease, LeaseParams, Leases, LeasesQuery, Pools } from './schemas';

type QueryRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const TAGS = ['reading'];
const SECURITY = [{ bearer: [] }];
const PROBLEMS = ['unauthenticated', 'forbidden', 'database_unreachable'] as const;

/** Queries work on every server whose database answers. A standby's answers lag by the WAL that it has not replayed. */
export function queryRoutes(routes: FastifyInstance, options: QueryRouteOptions): void {
  const { database, authenticate } = options;

  routes.get(
    '/v1/pools',
    {
      schema: {
        tags: TAGS,
        summary: 'List pools with their seat counts',
        security: SECURITY,
        response: { 200: Pools, ...problemResponses(...PROBLEMS) },
      },
      onRequest: authenticate('read', 'lease', 'admin'),
    },
    async ({ caller }) => {
      const pools = await database.queries.readPools();
      return { pools: caller.licenseId ? pools.filter((pool) => pool.licenseId === caller.licenseId) : pools };
    },
  );

  routes.get<{ Querystring: Static<typeof QueueQuery> }>(
    '/v1/queue',
    {
      schema: {
        tags: TAGS,
        summary: 'List the places in the queues',
        security: SECURITY,
        querystring: QueueQuery,
        response: { 200: Queue, ...problemResponses(...PROBLEMS, 'invalid_request') },
      },
      onRequest: authenticate('read', 'admin'),
    },
    async (request) => {
      const { limit, ...filter } = request.query;
      return { places: await database.queue.read({ ...filter, ...within(request.caller), limit: sizeOf(limit) }) };
    },
  );

  routes.get<{ Querystring: Static<typeof LeasesQuery> }>(
    '/v1/leases',
    {
      schema: {
        tags: TAGS,
        summary: 'List leases',
        security: SECURITY,
        querystring: LeasesQuery,
        response: { 200: Leases, ...problemResponses(...PROBLEMS, 'invalid_request') },
      },
      onRequest: authenticate('read', 'admin'),
    },
    async (request) => {
      const { cursor, limit: limitText, ...filter } = request.query;
      const limit = sizeOf(limitText);
      const leases = await database.queries.readLeases({ ...filter, ...within(request.caller), after: cursor, limit });
      return { leases, nextCursor: leases.length === limit ? (leases.at(-1)?.leaseId ?? null) : null };
    },
  );

  routes.get<{ Params: Static<typeof LeaseParams> }>(
    '/v1/leases/:leaseId',
    {
      schema: {
        tags: TAGS,
        summary: 'Get one lease',
        security: SECURITY,
        params: LeaseParams,
        response: { 200: Lease, ...problemResponses(...PROBLEMS, 'lease_not_found', 'invalid_request') },
      },
      onRequest: authenticate('read', 'admin'),
    },
    async (request, reply) => {
      const [lease] = await database.queries.readLeases({
        leaseId: request.params.leaseId,
        ...within(request.caller),
        limit: 1,
      });
      return lease ?? sendProblem(reply, 'lease_not_found');
    },
  );
}

function sizeOf(limit: string | undefined): number {
  return limit === undefined ? PAGE_SIZE_DEFAULT : Number(limit);
}

/** A token that is bound to a license reads only that license's data. */
function within({ licenseId }: Caller): { licenseId?: string } {
  return licenseId === undefined ? {} : { licenseId };
}
