import helmet, { type FastifyHelmetOptions } from '@fastify/helmet';
import fastify, { type FastifyInstance } from 'fastify';

const YEAR_SECONDS = 31_536_000;

/** Headers that every answer carries without helmet. */
const STANDARD_HEADERS = new Set(['connection', 'content-length', 'date', 'keep-alive']);

/**
 * Adds the security headers to every answer. helmet computes them for each request, which costs a twentieth of a
 * heartbeat. These headers depend on no request, so a temporary server computes them once.
 */
export async function sendSecurityHeaders(app: FastifyInstance, options: { tls: boolean }): Promise<void> {
  const probe = fastify();
  await probe.register(helmet, securityHeaders(options));
  probe.get('/', async (_request, reply) => reply.code(204).send());
  const answer = await probe.inject('/');
  await probe.close();
  const headers = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !STANDARD_HEADERS.has(name)));
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
}

/**
 * Headers for answers that are never pages: browsers must not run, frame, sniff or share them. helmet's headers for
 * pages are disabled, because every heartbeat would carry them.
 */
function securityHeaders({ tls }: { tls: boolean }): FastifyHelmetOptions {
  return {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    // Sent over TLS only, because browsers ignore the header without TLS.
    strictTransportSecurity: tls ? { maxAge: YEAR_SECONDS, includeSubDomains: false } : false,
    xContentTypeOptions: true,
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    crossOriginEmbedderPolicy: false,
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xFrameOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  };
}
