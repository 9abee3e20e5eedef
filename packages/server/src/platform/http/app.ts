import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { errorCodes, type FastifyInstance } from 'fastify';
import { apiTokenRoutes } from '../../api-tokens/api-token-routes';
import { auditRoutes } from '../../audit/audit-routes';
import { reportRoutes } from '../../audit/report-routes';
import { authentication } from '../../auth/authentication';
import { controlRoomRoutes } from '../../control-rooms/control-room-routes';
import { registrationRoutes } from '../../control-rooms/registration-routes';
import type { RoleMonitor } from '../../epochs/role-monitor';
import { LeaseCalls } from '../../granting/lease-calls';
import { leaseRoutes } from '../../granting/lease-routes';
import { queryRoutes } from '../../granting/query-routes';
import { licenseRoutes } from '../../licenses/license-routes';
import { offlineRoutes } from '../../offline/offline-routes';
import { reservationRoutes } from '../../reservations/reservation-routes';
import { sessionRoute } from '../../sessions/session-route';
import { Sessions } from '../../sessions/sessions';
import type { Metrics } from '../metrics';
import type { AppOptions } from './app-options';
import { createFastify } from './create-fastify';
import { answerErrors } from './errors';
import { healthRoutes } from './health-routes';
import { limitConnections } from './listener';
import { methodNotAllowed } from './method-not-allowed';
import { type MutatingRoutes, requireAcknowledgement } from './mutating-route';
import { withOptionalBodies } from './openapi';
import { problemResponses, sendReply } from './problems';
import { RateLimits } from './rate-limits';
import { sendSecurityHeaders } from './security-headers';
import { shareCompilers } from './shared-compilers';

declare module 'fastify' {
  interface FastifyInstance {
    readonly mutatingRoutes: MutatingRoutes;
  }
}

const DISPLAY_NAME = Symbol.for('fastify.display-name');
const HEALTH_CHECKS = new Set(['/livez', '/readyz', '/startupz']);

/** Creates the HTTP application ("The outside contract" in docs/architecture.md). */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { security, metrics, log } = options;
  const app = createFastify(options);
  shareCompilers(app);
  limitConnections(app.server, { connectionsMax: security.connectionsMax, metrics, log });
  app.decorateRequest('caller');
  acceptJsonOrNothing(app);
  answerErrors(app, log);
  countRequests(app, metrics);
  endConnectionsWhileDraining(app, options.role);
  describeRefusals(app);
  app.decorate('mutatingRoutes', requireAcknowledgement(app));
  await app.register(swagger, {
    openapi: OPENAPI,
    transformObject: (described) =>
      'openapiObject' in described ? withOptionalBodies(described.openapiObject) : described.swaggerObject,
  });
  await sendSecurityHeaders(app, { tls: security.tls !== undefined });
  const limits = await RateLimits.create(app, security.rateLimits, metrics);
  limitAddresses(app, limits);
  const refuseOtherMethods = methodNotAllowed(app);
  await addRoutes(app, options, limits);
  refuseOtherMethods();
  await app.ready();
  return app;
}

async function addRoutes(app: FastifyInstance, options: AppOptions, limits: RateLimits): Promise<void> {
  const authenticate = authentication(options, limits);
  const calls = new LeaseCalls(options);
  const sessions = new Sessions({ ...options, calls, limits, policy: options.sessionPolicy });
  app.addHook('onReady', async () => sessions.start());
  const shared = { ...options, authenticate };
  const features: Record<string, (routes: FastifyInstance) => void | Promise<void>> = {
    state: (routes) => healthRoutes(routes, options),
    leases: (routes) => leaseRoutes(routes, { ...shared, calls }),
    session: (routes) => sessionRoute(routes, { authenticate, sessions, policy: options.sessionPolicy }),
    reading: (routes) => queryRoutes(routes, shared),
    registration: (routes) => registrationRoutes(routes, { ...shared, limits }),
    'control rooms': (routes) => controlRoomRoutes(routes, shared),
    reservations: (routes) => reservationRoutes(routes, shared),
    offline: (routes) => offlineRoutes(routes, shared),
    'api tokens': (routes) => apiTokenRoutes(routes, shared),
    audit: (routes) => auditRoutes(routes, shared),
    reports: (routes) => reportRoutes(routes, shared),
    licenses: (routes) => licenseRoutes(routes, shared),
  };
  for (const [name, addTo] of Object.entries(features)) {
    // Fastify searches every loaded module for the name of an unnamed plugin.
    const plugin = Object.assign(async (routes: FastifyInstance) => addTo(routes), { [DISPLAY_NAME]: name });
    await app.register(plugin);
  }
}

/** Limits requests by address, except health checks: load balancers send many of them from few addresses. */
function limitAddresses(app: FastifyInstance, limits: RateLimits): void {
  app.addHook('onRequest', async (request, reply) => {
    if (HEALTH_CHECKS.has(request.routeOptions.url ?? '')) return undefined;
    const limited = await limits.ofAddress(request);
    return limited ? sendReply(reply, limited) : undefined;
  });
}

/** Accepts JSON bodies. An empty body is accepted with any content type, because some clients send one. */
function acceptJsonOrNothing(app: FastifyInstance): void {
  // Members that no schema names are ignored, including `__proto__`.
  const parseJson = app.getDefaultJsonParser('remove', 'remove');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parseJson(request, body as string, done);
  });
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    if (body === '') done(null, undefined);
    else done(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE());
  });
  app.addHook('preValidation', (request, _reply, done) => {
    // `null` is an invalid body, not a missing one.
    if (request.body === undefined) request.body = {};
    done();
  });
}

/** Documents the refusals that Fastify sends before a route's handler runs. */
function describeRefusals(app: FastifyInstance): void {
  const bodyRefusals = problemResponses(
    'malformed_body',
    'body_too_large',
    'unsupported_media_type',
    'invalid_request',
  );
  const callerRefusals = problemResponses('rate_limited');
  const parameterRefusals = problemResponses('uri_too_long');
  app.addHook('onRoute', ({ schema, url }) => {
    if (schema && !HEALTH_CHECKS.has(url)) schema.response = { ...callerRefusals, ...(schema.response ?? {}) };
    if (schema?.params) schema.response = { ...parameterRefusals, ...(schema.response ?? {}) };
    if (schema?.body) schema.response = { ...bodyRefusals, ...(schema.response ?? {}) };
  });
}

/** Closes connections while the server drains, so that the caller's next connection reaches another server. */
function endConnectionsWhileDraining(app: FastifyInstance, role: RoleMonitor): void {
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (role.isDraining) reply.header('connection', 'close');
    done();
  });
}

function countRequests(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onResponse', (request, reply, done) => {
    metrics.requestSeconds.observe(
      { method: request.method, route: request.routeOptions.url ?? 'none', status: String(reply.statusCode) },
      reply.elapsedTime / 1000,
    );
    done();
  });
}

const OPENAPI: NonNullable<FastifyDynamicSwaggerOptions['openapi']> = {
  openapi: '3.1.0',
  info: {
    title: 'Evergrant license server',
    version: '1',
    description:
      'Checks licenses out and in. Every request is idempotent: after a 503 or a lost connection the same request may be ' +
      'sent again, to this server or to the address in a `not_granting` problem. Times are ISO 8601 by the clock of the ' +
      'database. Durations are seconds; measure them on a monotonic clock.',
  },
  components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  tags: [
    { name: 'leases', description: 'Checkout, heartbeat, release' },
    { name: 'licenses', description: 'Licenses signed by the vendor, and their entitlements' },
    { name: 'control rooms', description: 'Installations of a customer: registration, recovery, seats in use' },
    { name: 'api tokens', description: 'Tokens that authenticate callers' },
    { name: 'reading', description: 'Pools, leases and queues' },
    { name: 'audit', description: 'Audit events, and the checkpoints that prove them' },
    { name: 'reports', description: 'Use, denials and holders, from the audit log' },
    { name: 'state', description: 'Role, health, keys and metrics of this server' },
  ],
};
