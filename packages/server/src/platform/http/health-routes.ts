import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { reasonOf } from '../../epochs/role-monitor';
import type { AppOptions } from './app-options';
import { problemResponses, sendProblem } from './problems';
import { Status } from './status-schema';

const TAGS = ['state'];

/** Routes that need no token. They never query the database. */
export function healthRoutes(routes: FastifyInstance, options: AppOptions): void {
  const { leaseTokens, metrics } = options;
  probeRoutes(routes, options);

  routes.get(
    '/v1/status',
    { schema: { tags: TAGS, summary: 'Role of this server', response: { 200: Status } } },
    async () => statusOf(options),
  );

  routes.get(
    '/.well-known/jwks.json',
    {
      schema: {
        tags: TAGS,
        summary: 'Public keys of lease tokens',
        response: {
          200: Type.Object(
            { keys: Type.Array(Type.Object({}, { additionalProperties: true })) },
            { description: 'A JSON Web Key Set' },
          ),
        },
      },
    },
    async () => leaseTokens.jwks,
  );

  routes.get(
    '/metrics',
    {
      schema: {
        tags: TAGS,
        summary: 'Metrics for Prometheus',
        response: { 200: { description: 'Text format', content: { 'text/plain': { schema: Type.String() } } } },
      },
    },
    async (_request, reply) => {
      const text = await metrics.registry.metrics();
      return reply.header('content-type', metrics.registry.contentType).serializer(String).send(text);
    },
  );

  routes.get('/openapi.json', { schema: { hide: true } }, async () => routes.swagger());
}

function probeRoutes(routes: FastifyInstance, { role }: AppOptions): void {
  const healthy = Type.Object({ status: Type.Literal('ok') }, { description: 'The check passed' });
  routes.get(
    '/livez',
    { schema: { tags: TAGS, summary: 'Checks that the process answers', response: { 200: healthy } } },
    async () => ({ status: 'ok' as const }),
  );

  // The container health check: a new release beside the schema of an earlier one must not replace servers that grant.
  routes.get(
    '/startupz',
    {
      schema: {
        tags: TAGS,
        summary: 'Does the database have the schema that this release needs, as far as known?',
        response: { 200: healthy, ...problemResponses('not_granting') },
      },
    },
    async (_request, reply) => {
      if (role.database.kind !== 'outdated') return { status: 'ok' as const };
      return sendProblem(reply, 'not_granting', { retryAfterSeconds: 10, members: { reason: 'schema_outdated' } });
    },
  );

  routes.get(
    '/readyz',
    {
      schema: {
        tags: TAGS,
        summary: 'Checks that the server accepts requests. A standby server is ready too',
        response: { 200: healthy, ...problemResponses('not_granting') },
      },
    },
    async (_request, reply) => {
      const verdict = role.verdict();
      const reachable = role.database.kind === 'writable' || role.database.kind === 'read_only';
      const draining = verdict.kind === 'not_granting' && verdict.reason === 'draining';
      if (reachable && !draining) return { status: 'ok' as const };
      const reason = verdict.kind === 'granting' ? 'starting' : reasonOf(verdict);
      return sendProblem(reply, 'not_granting', { retryAfterSeconds: 1, members: { reason } });
    },
  );
}

function statusOf({ region, server, role, triads }: AppOptions): Static<typeof Status> {
  const verdict = role.verdict();
  const newest = role.newestEpoch;
  const views = triads.views();
  return {
    region,
    server,
    granting: verdict.kind === 'granting',
    epoch: newest?.epoch ?? null,
    activeRegion: newest?.region ?? null,
    ...(verdict.kind === 'granting' ? {} : { reason: reasonOf(verdict) }),
    ...(views.length === 0 ? {} : { triads: views.map((view) => ({ ...view, servers: [...view.servers] })) }),
  };
}
