import { type RunningServer, TestWorld } from '@evergrant/test-support/server/test-world';
import fastify from 'fastify';
import { requireAcknowledgement } from '../../src/platform/http/mutating-route';

const CHANGES = new Set(['post', 'put', 'delete', 'patch']);

let world: TestWorld;
let server: RunningServer;

beforeAll(async () => {
  world = await TestWorld.create();
  server = await world.startWatching();
}, 60_000);

afterAll(() => world?.close());

describe('routes that change something', () => {
  it('are all registered with the rule by which they are acknowledged', async () => {
    const { body } = await server.call('GET', '/openapi.json');
    const published = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => CHANGES.has(method))
        .map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
    );
    const acknowledging = [...server.app.mutatingRoutes].filter(([, rules]) => rules !== 'nothing');
    expect(published.sort()).toEqual(acknowledging.map(([route]) => route).sort());
    expect(Object.fromEntries(acknowledging)).toEqual({
      'PUT /v1/leases/:leaseId': ['escrow', 'own_proof'],
      'POST /v1/leases/:leaseId/heartbeat': ['escrow'],
      'DELETE /v1/leases/:leaseId': ['own_proof', 'restriction'],
      'PUT /v1/control-rooms/:controlRoom': ['replicated'],
      'POST /v1/control-rooms/:controlRoom/tokens': ['replicated'],
      'POST /v1/control-rooms/:controlRoom/heartbeat': ['own_proof'],
      'POST /v1/control-rooms/:controlRoom/recovery': ['replicated'],
      'PUT /v1/control-rooms/:controlRoom/group': ['replicated'],
      'PUT /v1/reservations': ['replicated'],
      'POST /v1/control-rooms/:controlRoom/offline-response': ['replicated'],
      'POST /v1/control-rooms/:controlRoom/offline-return': ['replicated'],
      'POST /v1/api-tokens': ['replicated'],
      'DELETE /v1/api-tokens/:name': ['restriction'],
      'POST /v1/licenses': ['replicated', 'restriction'],
    });
  });

  it('acknowledge nothing when they only refuse a method', async () => {
    for (const [route, rules] of server.app.mutatingRoutes) {
      if (rules !== 'nothing') continue;
      const [method = '', url = ''] = route.split(' ');
      const { statusCode } = await server.app.inject({ method: method as 'POST', url: url.replaceAll(/:\w+/g, 'x') });
      expect({ route, statusCode }).toEqual({ route, statusCode: 405 });
    }
  });

  it('cannot be registered without a rule', () => {
    const app = fastify();
    requireAcknowledgement(app);
    expect(() => app.get('/read', async () => ({}))).not.toThrow();
    for (const method of ['post', 'put', 'delete', 'patch'] as const) {
      expect(() => app[method]('/change', async () => ({}))).toThrow('is not registered with mutatingRoute');
    }
  });
});
