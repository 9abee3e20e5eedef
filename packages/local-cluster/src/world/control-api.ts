import { timingSafeEqual } from 'node:crypto';
import type { Region } from '@evergrant/core/regions';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { LINK_NAMES, type LinkName, LOOPBACK, REGIONS } from '../layout';
import type { WorldState } from './state';

const PROCESS_ACTIONS = ['kill', 'stop', 'cont', 'start'] as const;
export type ProcessAction = (typeof PROCESS_ACTIONS)[number];

export interface LinkChange {
  readonly mode?: 'open' | 'cut';
  /** One-way delay added in each direction. */
  readonly delayMs?: number;
}

/** The operations of the control API. */
export interface WorldControl {
  state(): WorldState;
  processNames(): readonly string[];
  /** Resolves to a sentence that describes the effect. */
  act(name: string, action: ProcessAction): Promise<string>;
  changeLink(link: LinkName, change: LinkChange): void;
  /** The databases of one region, or every instance. */
  databases(region?: Region): unknown;
  /** Operations are accepted at once and executed in the background. `databases(region)` returns their progress. */
  keepDatabase(region: Region, label: string): unknown;
  followDatabase(region: Region): unknown;
}

/** A request that the world refuses, with the remedy. The API returns it as a problem document. */
export class ControlError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 409) {
    super(message);
    this.name = 'ControlError';
    this.code = code;
    this.status = status;
  }
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[], what: string): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) {
    throw new ControlError(
      'invalid_request',
      `${what} is "${String(value)}"; it must be one of ${allowed.join(', ')}`,
      422,
    );
  }
  return found;
}

function parseLinkChange(body: unknown): LinkChange {
  const { mode, delayMs } = (body ?? {}) as Record<string, unknown>;
  if (delayMs !== undefined && (typeof delayMs !== 'number' || !(delayMs >= 0 && delayMs <= 60_000))) {
    throw new ControlError('invalid_request', 'delayMs must be a number from 0 to 60000', 422);
  }
  return {
    ...(mode === undefined ? {} : { mode: oneOf(mode, ['open', 'cut'] as const, 'mode') }),
    ...(delayMs === undefined ? {} : { delayMs }),
  };
}

/** Serves the control API on loopback. Every request needs the admin token. */
export async function serveControl(world: WorldControl, port: number, adminToken: string): Promise<FastifyInstance> {
  const app = Fastify({ logger: false, bodyLimit: 16_384 });
  app.addHook('onRequest', async (request: FastifyRequest) => {
    if (!sameText(request.headers.authorization ?? '', `Bearer ${adminToken}`)) {
      throw new ControlError('unauthorized', 'the control API needs the admin token of .evergrant/world.json', 401);
    }
  });
  app.setErrorHandler((error, _request, reply) => {
    const known = error instanceof ControlError ? error : undefined;
    const status = known?.status ?? 500;
    const detail = error instanceof Error ? error.message : String(error);
    return reply
      .code(status)
      .type('application/problem+json')
      .send({ type: 'about:blank', status, code: known?.code ?? 'world_error', title: detail, detail });
  });
  addRoutes(app, world);
  await app.listen({ host: LOOPBACK, port });
  return app;
}

function addRoutes(app: FastifyInstance, world: WorldControl): void {
  app.get('/state', async () => world.state());
  app.post<{ Params: { name: string; action: string } }>('/processes/:name/:action', async ({ params }) => {
    const name = oneOf(params.name, world.processNames(), 'the process');
    return { name, result: await world.act(name, oneOf(params.action, PROCESS_ACTIONS, 'the action')) };
  });
  app.post<{ Params: { name: string } }>('/links/:name', async ({ params, body }) => {
    const link = oneOf(params.name, LINK_NAMES, 'the link');
    const change = parseLinkChange(body);
    world.changeLink(link, change);
    return { link, ...change };
  });
  app.get('/databases', async () => world.databases());
  app.get<{ Params: { region: string } }>('/databases/:region', async ({ params }) =>
    world.databases(oneOf(params.region, REGIONS, 'the region')),
  );
  app.post<{ Params: { region: string } }>('/databases/:region/keep', async ({ params }, reply) => {
    const region = oneOf(params.region, REGIONS, 'the region');
    // The name sorts by time, contains the time, and is a valid directory name.
    const label = new Date().toISOString().slice(0, 19).replaceAll(':', '');
    return reply.code(202).send(world.keepDatabase(region, label));
  });
  app.post<{ Params: { region: string } }>('/databases/:region/follow', async ({ params }, reply) =>
    reply.code(202).send(world.followDatabase(oneOf(params.region, REGIONS, 'the region'))),
  );
}
