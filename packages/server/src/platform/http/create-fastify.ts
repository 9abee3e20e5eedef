import fastify, { type FastifyBaseLogger, type FastifyHttpOptions, type FastifyInstance, LogController } from 'fastify';
import type { AppOptions } from './app-options';
import { answerParserError, answerRouterError } from './errors';
import { tlsOptions } from './listener';

type Settings = FastifyHttpOptions<FastifyInstance['server']>;

const BODY_LIMIT_BYTES = 16 * 1024;
/** Length of a URL parameter: the 200 characters of a license id, each of up to four percent-encoded bytes. */
const PARAMETER_CHARACTERS_MAX = 200 * 12;
/** How long a client may take to send a request. */
const REQUEST_TIMEOUT_MS = 10_000;
/**
 * How long an idle connection is kept open. The time exceeds the load balancer's: otherwise the load balancer sends a
 * request into a connection that this server is closing, and answers 502.
 */
export const KEEP_ALIVE_MS = 130_000;
/** Connections without a complete request are closed. Fastify checks for them at this interval. */
const SLOW_CONNECTIONS = { headersTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: 2_000 };

/** Creates a Fastify instance with limits, with or without TLS, and without routes. */
export function createFastify({ security, log }: AppOptions): FastifyInstance {
  const settings: Settings = {
    trustProxy: [...security.trustedProxies],
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    // A child logger per request would cost more than the decision itself.
    childLoggerFactory: (logger) => logger,
    bodyLimit: BODY_LIMIT_BYTES,
    routerOptions: { maxParamLength: PARAMETER_CHARACTERS_MAX },
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    frameworkErrors: answerRouterError(log),
    clientErrorHandler: answerParserError,
    // While the server closes, requests on open connections are still served. New connections reach another server.
    return503OnClosing: false,
  };
  if (security.tls === undefined) return fastify({ ...settings, http: SLOW_CONNECTIONS });
  // The cast hides the TLS socket's type, which no caller needs.
  return fastify({ ...settings, https: { ...tlsOptions(security.tls), ...SLOW_CONNECTIONS } } as Settings);
}
