import type { FastifyInstance, FastifyReply } from 'fastify';
import { sendProblem } from './problems';

/**
 * An address that exists answers every other method with 405 and the methods it takes (RFC 9110, 15.5.6). Call
 * the function that this one returns when every route is registered.
 */
export function methodNotAllowed(app: FastifyInstance): () => void {
  const methodsByUrl = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = methodsByUrl.get(url) ?? new Set<string>();
    for (const one of [method].flat()) known.add(one);
    methodsByUrl.set(url, known);
  });
  return () => {
    for (const [url, known] of [...methodsByUrl]) {
      const others = app.supportedMethods.filter((method) => !known.has(method));
      const allow = [...known].sort().join(', ');
      // Answered before the request is read: its body means nothing here.
      const refuse = async (_request: unknown, reply: FastifyReply): Promise<FastifyReply> =>
        sendProblem(reply.header('allow', allow), 'method_not_allowed', { detail: `this address takes ${allow}` });
      app.route({ method: others, url, schema: { hide: true }, onRequest: refuse, handler: refuse });
    }
  };
}
