import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import fastify, { errorCodes, type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Metrics } from '../duties/metrics';
import type { RoleDuty } from '../duties/role';
import { Sessions } from '../sessions/sessions';
import { apiTokenRoutes } from './api-token-routes';
import type { AppOptions } from './app-options';
import { authentication } from './authentication';
import { controlRoomRoutes } from './control-room-routes';
import { answerErrors, answerParserError, answerRouterError } from './errors';
import { LeaseCalls } from './lease-calls';
import { leaseRoutes } from './lease-routes';
import { refuseOtherMethods } from './methods';
import { problemResponses } from './problems';
import { readingRoutes } from './reading-routes';
import { registrationRoutes } from './registration-routes';
import { sessionRoute } from './session-route';
import { stateRoutes } from './state-routes';

const BODY_LIMIT_BYTES = 16 * 1024;
/** How long a client may take to send a request, and keep an idle connection. */
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;

/** The HTTP side of "The outside contract" in docs/architecture.md. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const app = fastify({
    loggerInstance: options.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    // A logger of its own for each request would cost more than deciding it.
    childLoggerFactory: (logger) => logger,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    frameworkErrors: answerRouterError(options.log),
    clientErrorHandler: answerParserError,
    // While closing, what arrives on open connections is still served; new connections go to another server.
    return503OnClosing: false,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: true } },
  });
  app.decorateRequest('caller');
  acceptJsonOrNothing(app);
  answerErrors(app, options.log);
  countRequests(app, options.metrics);
  endConnectionsWhileDraining(app, options.role);
  describeRefusals(app);
  await app.register(swagger, { openapi: OPENAPI });
  const refuseTheRest = refuseOtherMethods(app);
  const authenticate = authentication(options);
  await app.register(async (routes) => stateRoutes(routes, options));
  const calls = new LeaseCalls(options);
  await app.register(async (routes) => leaseRoutes(routes, { ...options, authenticate, calls }));
  const sessions = new Sessions({ ...options, calls, policy: options.sessionPolicy });
  app.addHook('onReady', async () => sessions.start());
  await app.register(async (routes) => sessionRoute(routes, { authenticate, sessions, policy: options.sessionPolicy }));
  await app.register(async (routes) => readingRoutes(routes, { ...options, authenticate }));
  await app.register(async (routes) => registrationRoutes(routes, { ...options, authenticate }));
  await app.register(async (routes) => controlRoomRoutes(routes, { ...options, authenticate }));
  await app.register(async (routes) => apiTokenRoutes(routes, { ...options, authenticate }));
  refuseTheRest();
  await app.ready();
  return app;
}

/** Bodies are JSON. Some clients name a content type, of any kind, even when there is no body. */
function acceptJsonOrNothing(app: FastifyInstance): void {
  // Members that no schema names are ignored, `__proto__` among them.
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
    request.body ??= {};
    done();
  });
}

/** What the framework may refuse before a route is asked: no route has to say so itself. */
function describeRefusals(app: FastifyInstance): void {
  const ofBodies = problemResponses('malformed_body', 'body_too_large', 'unsupported_media_type', 'invalid_request');
  const ofParameters = problemResponses('uri_too_long');
  app.addHook('onRoute', ({ schema }) => {
    if (schema?.params) schema.response = { ...ofParameters, ...(schema.response ?? {}) };
    if (schema?.body) schema.response = { ...ofBodies, ...(schema.response ?? {}) };
  });
}

/** Tells the caller to come back over another connection, which will find another server. */
function endConnectionsWhileDraining(app: FastifyInstance, role: RoleDuty): void {
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
      'sent again, here or to the address that a `not_granting` problem names. Times are ISO 8601 by the clock of the ' +
      'database; durations are seconds, to be measured on a monotonic clock.',
  },
  components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  tags: [
    { name: 'leases', description: 'Checkout, heartbeat, release' },
    { name: 'control rooms', description: 'The installations of a customer: registration, recovery, use' },
    { name: 'api tokens', description: 'Who may call, and how' },
    { name: 'reading', description: 'Pools, and who holds what' },
    { name: 'state', description: 'This server: role, health, keys, metrics' },
  ],
};
