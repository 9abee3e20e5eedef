import helmet, { type FastifyHelmetOptions } from '@fastify/helmet';
import fastify, { type FastifyInstance } from 'fastify';

const YEAR_SECONDS = 31_536_000;

/** What any answer carries, with helmet or without. */
const OF_ANY_ANSWER = new Set(['connection', 'content-length', 'date', 'keep-alive']);

/**
 * Puts the headers on every answer. helmet would work them out anew for each request, which costs a twentieth of what
 * a heartbeat does; ours depend on no request, so it is asked once, by a server of its own that serves nobody.
 */
export async function sendSecurityHeaders(app: FastifyInstance, options: { tls: boolean }): Promise<void> {
  const asked = fastify();
  await asked.register(helmet, securityHeaders(options));
  asked.get('/', async (_request, reply) => reply.code(204).send());
  const answer = await asked.inject('/');
  await asked.close();
  const headers = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !OF_ANY_ANSWER.has(name)));
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
}

/**
 * What browsers are told about answers that are never pages: nothing in them is to be run, framed, guessed at or shared.
 * What helmet has for pages only is left out; it would travel with every heartbeat.
 */
function securityHeaders({ tls }: { tls: boolean }): FastifyHelmetOptions {
  return {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    // Said over TLS only: elsewhere browsers have to ignore it.
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
