import type { AuditEvent } from '@evergrant/formats/audit/event';
import { toCsv, toJsonLines } from '@evergrant/formats/audit/streams';
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import type { AppOptions } from '../platform/http/app-options';
import { problemResponses } from '../platform/http/problems';
import { PAGE_SIZE_DEFAULT } from '../platform/http/schemas';
import { Checkpoints, CheckpointsQuery, Events, EventsQuery, Heads } from './audit-schemas';
import { type EventFilter, readEvents } from './read-events';
import type { ChainHead, LogState } from './store';

type AuditRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const TAGS = ['audit'];
const SECURITY = [{ bearer: [] }];
const PROBLEMS = problemResponses('unauthenticated', 'forbidden', 'invalid_request', 'database_unreachable');

/** Routes that read the audit log. A token that is bound to a license sees only the chains of its pools. */
export function auditRoutes(routes: FastifyInstance, options: AuditRouteOptions): void {
  eventsRoute(routes, options);
  headsRoute(routes, options);
  checkpointsRoute(routes, options);
}

function eventsRoute(routes: FastifyInstance, { database, authenticate }: AuditRouteOptions): void {
  routes.get<{ Querystring: Static<typeof EventsQuery> }>(
    '/v1/audit/events',
    {
      schema: {
        tags: TAGS,
        summary: 'Read audit events',
        description:
          'Sorted by chain and seq, from the cursor on. Use `/v1/audit/checkpoints` and `/.well-known/jwks.json` to verify.',
        security: SECURITY,
        querystring: EventsQuery,
        response: {
          200: {
            description: 'Events, sorted by chain and seq',
            content: {
              'application/json': { schema: Events },
              'application/jsonl': { schema: Type.String({ description: 'One event per line' }) },
              'text/csv': { schema: Type.String({ description: 'For spreadsheets; formulas are escaped' }) },
            },
          },
          ...PROBLEMS,
        },
      },
      onRequest: authenticate('read', 'admin'),
    },
    async (request, reply) => {
      const { format = 'json', cursor, limit, since, until, ...filter } = request.query;
      const { licenseId } = request.caller;
      const after = cursorOf(cursor);
      const range: EventFilter = { ...filter, since: utc(since), until: utc(until), licenseId, after };
      const events = readEvents(database.audit, range);
      switch (format) {
        case 'jsonl':
          return reply.type('application/jsonl').send(toJsonLines(events));
        case 'csv':
          return reply.type('text/csv; charset=utf-8').send(toCsv(events));
        case 'json':
          return reply.type('application/json').send(await pageOf(events, limitOf(limit)));
      }
    },
  );
}

function headsRoute(routes: FastifyInstance, options: AuditRouteOptions): void {
  routes.get(
    '/v1/audit/heads',
    {
      schema: {
        tags: TAGS,
        summary: 'Read the heads of the audit log',
        description:
          'The newest event of each chain, signed. Read the heads before the events: they do not cover later events.',
        security: SECURITY,
        response: { 200: Heads, ...problemResponses('unauthenticated', 'forbidden', 'database_unreachable') },
      },
      onRequest: options.authenticate('read', 'admin'),
    },
    async ({ caller }) => {
      const state = await options.database.audit.state();
      const heads = state.heads.filter((head) => mayRead(head, caller.licenseId));
      const { at, epoch, era, writable } = state;
      return {
        at,
        epoch,
        era,
        writable,
        heads: await Promise.all(heads.map((head) => signedHead(head, state, options))),
      };
    },
  );
}

function checkpointsRoute(routes: FastifyInstance, options: AuditRouteOptions): void {
  const { database, checkpointStore, authenticate } = options;
  routes.get<{ Querystring: Static<typeof CheckpointsQuery> }>(
    '/v1/audit/checkpoints',
    {
      schema: {
        tags: TAGS,
        summary: 'Read the signed checkpoints of the audit log',
        security: SECURITY,
        querystring: CheckpointsQuery,
        response: { 200: Checkpoints, ...PROBLEMS },
      },
      onRequest: authenticate('read', 'admin'),
    },
    async (request) => {
      const { cursor, limit: limitText, until } = request.query;
      const { licenseId } = request.caller;
      const limit = limitOf(limitText);
      const after = cursorOf(cursor);
      const chains = licenseId === undefined ? undefined : await chainsOf(database.audit.state(), licenseId);
      const page = await checkpointStore.read({
        chains,
        after: after && { chain: after.chain, number: after.seq },
        until,
        limit,
      });
      const last = page.checkpoints.length === limit ? page.checkpoints.at(-1) : undefined;
      return { ...page, nextCursor: last ? `${last.chain}:${last.number}` : null };
    },
  );
}

async function pageOf(events: AsyncIterable<AuditEvent>, limit: number): Promise<Static<typeof Events>> {
  const page: AuditEvent[] = [];
  for await (const event of events) {
    if (page.length === limit) {
      const last = page.at(-1);
      return { events: page, nextCursor: last ? `${last.chain}:${last.seq}` : null };
    }
    page.push(event);
  }
  return { events: page, nextCursor: null };
}

async function signedHead(
  { chain, seq, hash, pool }: ChainHead,
  { at, epoch, era }: LogState,
  { signer, region, server }: AuditRouteOptions,
): Promise<Static<typeof Heads>['heads'][number]> {
  return {
    chain,
    seq,
    hash,
    licenseId: pool?.licenseId ?? null,
    product: pool?.product ?? null,
    feature: pool?.feature ?? null,
    seatsTaken: pool?.seatsTaken ?? null,
    seatsTakenByLog: pool?.seatsTakenByLog ?? null,
    jws: await signer.signHead({ chain, seq, hash, epoch, era, region, server, at }),
  };
}

function mayRead({ pool }: ChainHead, licenseId: string | undefined): boolean {
  return licenseId === undefined || pool?.licenseId === licenseId;
}

async function chainsOf(state: Promise<LogState>, licenseId: string): Promise<string[]> {
  const { heads } = await state;
  return heads.filter((head) => mayRead(head, licenseId)).map(({ chain }) => chain);
}

function limitOf(text: string | undefined): number {
  return text === undefined ? PAGE_SIZE_DEFAULT : Number(text);
}

function cursorOf(text: string | undefined): EventFilter['after'] {
  if (text === undefined) return undefined;
  const colon = text.lastIndexOf(':');
  return { chain: text.slice(0, colon), seq: Number(text.slice(colon + 1)) };
}

/** Normalizes to UTC, because PostgreSQL rejects some offsets that JavaScript accepts. */
function utc(instant: string | undefined): string | undefined {
  return instant === undefined ? undefined : new Date(instant).toISOString();
}
