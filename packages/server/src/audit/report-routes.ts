import type { Static } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import type { AppOptions } from '../platform/http/app-options';
import { problemResponses, sendProblem } from '../platform/http/problems';
import { PAGE_SIZE_DEFAULT } from '../platform/http/schemas';
import { DaysQuery, Denials, Holders, HoldersQuery, Usage } from './audit-schemas';
import type { DayRange } from './store';

type ReportRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const TAGS = ['reports'];
const SECURITY = [{ bearer: [] }];
const PROBLEMS = problemResponses('unauthenticated', 'forbidden', 'invalid_request', 'database_unreachable');
const DAY_MS = 86_400_000;
const DAYS_DEFAULT = 30;
const DAYS_MAX = 3_660;

/** Routes for reports from the audit log. A token that is bound to a license sees only the pools of that license. */
export function reportRoutes(routes: FastifyInstance, options: ReportRouteOptions): void {
  usageRoute(routes, options);
  denialsRoute(routes, options);
  holdersRoute(routes, options);
}

function usageRoute(routes: FastifyInstance, { database, authenticate }: ReportRouteOptions): void {
  routes.get<{ Querystring: Static<typeof DaysQuery> }>(
    '/v1/reports/usage',
    {
      schema: {
        tags: TAGS,
        summary: 'Report peak and average use, by pool and day',
        description:
          'A pool appears from its first event on. On a day without events, use is the same as at its start.',
        security: SECURITY,
        querystring: DaysQuery,
        response: { 200: Usage, ...PROBLEMS },
      },
      onRequest: authenticate('read', 'admin'),
    },
    async (request, reply) => {
      const range = daysOf(request.query);
      if (range.kind === 'invalid') return sendInvalidField(reply, range);
      const { since, until } = range;
      return { since, until, usage: await database.audit.usage({ since, until, licenseId: request.caller.licenseId }) };
    },
  );
}

function denialsRoute(routes: FastifyInstance, { database, authenticate }: ReportRouteOptions): void {
  routes.get<{ Querystring: Static<typeof DaysQuery> }>(
    '/v1/reports/denials',
    {
      schema: {
        tags: TAGS,
        summary: 'Report denied checkouts, by pool, day and code',
        security: SECURITY,
        querystring: DaysQuery,
        response: { 200: Denials, ...PROBLEMS },
      },
      onRequest: authenticate('read', 'admin'),
    },
    async (request, reply) => {
      const range = daysOf(request.query);
      if (range.kind === 'invalid') return sendInvalidField(reply, range);
      const { since, until } = range;
      const { licenseId } = request.caller;
      return { since, until, denials: await database.audit.denials({ since, until, licenseId }) };
    },
  );
}

function holdersRoute(routes: FastifyInstance, { database, authenticate }: ReportRouteOptions): void {
  routes.get<{ Querystring: Static<typeof HoldersQuery> }>(
    '/v1/reports/holders',
    {
      schema: {
        tags: TAGS,
        summary: 'Report the leases held at an instant',
        security: SECURITY,
        querystring: HoldersQuery,
        response: { 200: Holders, ...PROBLEMS },
      },
      onRequest: authenticate('read', 'admin'),
    },
    async (request, reply) => {
      const { cursor, limit: limitText } = request.query;
      const limit = limitText === undefined ? PAGE_SIZE_DEFAULT : Number(limitText);
      const state = await database.audit.state();
      const at = request.query.at === undefined ? state.at : new Date(request.query.at).toISOString();
      if (Date.parse(at) > Date.parse(state.at)) {
        return sendInvalidField(reply, { field: 'at', detail: 'must not be in the future' });
      }
      const { licenseId } = request.caller;
      const holders = await database.audit.holders({ at, licenseId, after: cursor, limit });
      return { at, holders, nextCursor: holders.length === limit ? (holders.at(-1)?.leaseId ?? null) : null };
    },
  );
}

type RangeVerdict =
  | ({ readonly kind: 'days' } & Pick<DayRange, 'since' | 'until'>)
  | { readonly kind: 'invalid'; readonly field: string; readonly detail: string };

function daysOf(query: Static<typeof DaysQuery>): RangeVerdict {
  const until = query.until ?? dayOf(Date.now());
  const since = query.since ?? dayOf(Date.parse(until) - (DAYS_DEFAULT - 1) * DAY_MS);
  const days = (Date.parse(until) - Date.parse(since)) / DAY_MS + 1;
  if (days < 1) return { kind: 'invalid', field: 'since', detail: `must not be after until, ${until}` };
  if (days > DAYS_MAX)
    return { kind: 'invalid', field: 'since', detail: `must not be more than ${DAYS_MAX} days before ${until}` };
  return { kind: 'days', since, until };
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function sendInvalidField(reply: FastifyReply, { field, detail }: { field: string; detail: string }): FastifyReply {
  return sendProblem(reply, 'invalid_request', {
    detail: `${field} ${detail}`,
    members: { field, errors: [{ field, detail }] },
  });
}
