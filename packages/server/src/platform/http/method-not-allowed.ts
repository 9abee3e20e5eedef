import type { FastifyInstance, FastifyReply } from 'fastify';
import { sendProblem } from './problems';

/**
 * Answers 405 with the allowed methods when a URL exists and the method does not (RFC 9110, 15.5.6). Call the returned
 * function after every route is registered.
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
      // Answers before the body is read, because the body has no meaning here.
      const refuse = async (_request: unknown, reply: FastifyReply): Promise<FastifyReply> =>
        sendProblem(reply.header('allow', allow), 'method_not_allowed', { detail: `this URL allows ${allow}` });
      app.route({
        method: others,
        url,
        schema: { hide: true },
        config: { acknowledges: 'nothing' },
        onRequest: refuse,
        handler: refuse,
      });
    }
  };
}
