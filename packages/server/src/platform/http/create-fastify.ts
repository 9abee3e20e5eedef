import fastify, { type FastifyBaseLogger, type FastifyHttpOptions, type FastifyInstance, LogController } from 'fastify';
import type { AppOptions } from './app-options';
import { answerParserError, answerRouterError } from './errors';
import { tlsOptions } from './listener';

type Settings = FastifyHttpOptions<FastifyInstance['server']>;

const BODY_LIMIT_BYTES = 16 * 1024;
/** Of a parameter in an address: 200 characters, as a license id may have, each of up to four encoded bytes. */
const PARAMETER_CHARACTERS_MAX = 200 * 12;
/** How long a client may take to send a request. */
const REQUEST_TIMEOUT_MS = 10_000;
/**
 * How long an idle connection is kept: longer than a load balancer keeps it, who otherwise sends a request into a
 * connection that is just being closed and answers 502.
 */
export const KEEP_ALIVE_MS = 130_000;
/** A connection on which nothing, or half a request, arrives is closed; it is looked for this often. */
const SLOW_CONNECTIONS = { headersTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: 2_000 };

/** The web framework with its bounds, over TLS or not; nothing is served by it yet. */
export function createFastify({ security, log }: AppOptions): FastifyInstance {
  const settings: Settings = {
    trustProxy: [...security.trustedProxies],
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    // A logger of its own for each request would cost more than deciding it.
    childLoggerFactory: (logger) => logger,
    bodyLimit: BODY_LIMIT_BYTES,
    routerOptions: { maxParamLength: PARAMETER_CHARACTERS_MAX },
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    frameworkErrors: answerRouterError(log),
    clientErrorHandler: answerParserError,
    // While closing, what arrives on open connections is still served; new connections go to another server.
    return503OnClosing: false,
  };
  if (security.tls === undefined) return fastify({ ...settings, http: SLOW_CONNECTIONS });
  // The same framework over another socket; the type for it would say more than anything here needs to know.
  return fastify({ ...settings, https: { ...tlsOptions(security.tls), ...SLOW_CONNECTIONS } } as Settings);
}
