import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestWorld } from '@evergrant/test-support/server/test-world';

const PAGE = readFileSync(join(__dirname, '../../docs/architecture.md'), 'utf8');

/** The routes of the OpenAPI document of a server, as `GET /v1/leases/{leaseId}`. */
async function routesServed(): Promise<string[]> {
  const world = await TestWorld.create();
  try {
    const server = await world.startWatching();
    const { body } = await server.call('GET', '/openapi.json', undefined, null);
    const paths = Object.entries<object>(body.paths);
    return paths.flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
  } finally {
    await world.close();
  }
}

it('architecture page: lists exactly the routes of the server', async () => {
  const told = [...PAGE.matchAll(/`((?:GET|PUT|POST|DELETE) \/[^`]+)`/g)].map(([, route]) => route);
  const served = [...(await routesServed()), 'GET /openapi.json'];
  const contract = new Set(
    told.filter((route) => PAGE.indexOf(`\`${route}\``) >= PAGE.indexOf('## The outside contract')),
  );
  expect(served.filter((route) => !told.includes(route))).toEqual([]);
  expect([...contract].filter((route) => !served.includes(route ?? ''))).toEqual([]);
});
