import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchema,
  HTTPMethods,
  onRequestAsyncHookHandler,
  RouteGenericInterface,
} from 'fastify';
import { type Acknowledged, type CoverageKind, isAcknowledged } from '../../epochs/acknowledgement-gate';
import { sendReply } from './problems';
import type { HttpReply, ProblemReply } from './reply';

/** A reply of 2xx to a request that changes something. It exists only with a value from the gate (S8). */
export interface AcknowledgedReply extends HttpReply {
  readonly acknowledged: Acknowledged<unknown>;
}

export type MutationReply = AcknowledgedReply | ProblemReply;

export function acknowledgedReply(acknowledged: Acknowledged<unknown>, reply: HttpReply): AcknowledgedReply {
  return { ...reply, acknowledged };
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The rules of the gate under which a route that changes something answers 2xx; `nothing`: it never does. */
    acknowledges?: readonly CoverageKind[] | 'nothing';
  }
}

interface MutatingRoute<R extends RouteGenericInterface> {
  readonly method: 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly acknowledges: readonly CoverageKind[];
  readonly schema: FastifySchema;
  readonly bodyLimit?: number;
  readonly onRequest?: onRequestAsyncHookHandler;
  readonly answer: (request: FastifyRequest<R>) => Promise<MutationReply>;
}

/** Registers a route that changes something. */
export function mutatingRoute<R extends RouteGenericInterface>(
  routes: FastifyInstance,
  { acknowledges, answer, ...route }: MutatingRoute<R>,
): void {
  routes.route({
    ...route,
    config: { acknowledges },
    // The framework narrows the request by the schema, which says the same as `R`.
    handler: async (request, reply) => sendMutation(reply, await answer(request as FastifyRequest<R>)),
  });
}

function sendMutation(reply: FastifyReply, answer: MutationReply): FastifyReply {
  const isProven = 'acknowledged' in answer && isAcknowledged(answer.acknowledged);
  if (answer.status < 400 && !isProven) throw new TypeError('a change was answered without the acknowledgement gate');
  return sendReply(reply, answer);
}

const SAFE_METHODS: ReadonlySet<HTTPMethods> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The routes that change something, each as `METHOD url`, with their rules. */
export type MutatingRoutes = ReadonlyMap<string, readonly CoverageKind[] | 'nothing'>;

/** Refuses every later route that takes an unsafe method and was not registered with `mutatingRoute`. */
export function requireAcknowledgement(app: FastifyInstance): MutatingRoutes {
  const routes = new Map<string, readonly CoverageKind[] | 'nothing'>();
  app.addHook('onRoute', ({ method, url, config }) => {
    const unsafe = [method].flat().filter((each) => !SAFE_METHODS.has(each.toUpperCase() as HTTPMethods));
    const acknowledges = config?.acknowledges;
    for (const each of unsafe) {
      if (acknowledges === undefined) throw new TypeError(`${each} ${url} is not registered with mutatingRoute`);
      routes.set(`${each} ${url}`, acknowledges);
    }
  });
  return routes;
}
