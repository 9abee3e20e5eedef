import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readControllerEnvironment } from '../../src/controller/environment';

let dir: string;
let variables: Record<string, string>;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'evergrant-controller-'));
  const secrets = join(dir, 'controller.json');
  writeFileSync(secrets, JSON.stringify({ databasePassword: 'd', authorityPassword: 'a', adminToken: 't' }));
  const urls = JSON.stringify({ oregon: 'http://127.0.0.1:8081', virginia: 'http://127.0.0.1:8082' });
  variables = {
    EVERGRANT_CONTROLLER_NAME: 'controller',
    EVERGRANT_PROFILE: 'fast',
    EVERGRANT_AUTHORITY_HOST: '127.0.0.1',
    EVERGRANT_AUTHORITY_PORT: '8124',
    EVERGRANT_AUTHORITY_NAME: 'evergrant',
    EVERGRANT_AUTHORITY_USER: 'evergrant_controller',
    EVERGRANT_DATABASES: JSON.stringify({
      oregon: { host: '127.0.0.1', port: 8121 },
      virginia: { host: '127.0.0.1', port: 8104 },
    }),
    EVERGRANT_DATABASE_NAME: 'evergrant',
    EVERGRANT_DATABASE_USER: 'evergrant_controller',
    EVERGRANT_ROUTERS: urls,
    EVERGRANT_REGION_ADDRESSES: urls,
    EVERGRANT_EDGE: 'http://127.0.0.1:8080',
    EVERGRANT_WITNESS: 'http://127.0.0.1:8084',
    EVERGRANT_WORLD_API: 'http://127.0.0.1:8083',
    EVERGRANT_SECRETS_FILE: secrets,
    EVERGRANT_ALERTS_FILE: join(dir, 'alerts.jsonl'),
  };
});

afterEach(() => rmSync(dir, { recursive: true }));

describe('controller environment', () => {
  it('returns every value', () => {
    expect(readControllerEnvironment(variables)).toMatchObject({
      name: 'controller',
      profile: 'fast',
      authority: { port: 8124, password: 'a' },
      databases: { oregon: { port: 8121 }, virginia: { port: 8104 } },
      databaseLogin: { user: 'evergrant_controller', password: 'd' },
      adminToken: 't',
      failpoint: undefined,
    });
  });

  it('reports every error at once', () => {
    const { EVERGRANT_EDGE: _edge, ...others } = variables;
    const broken = { ...others, EVERGRANT_PROFILE: 'faster', EVERGRANT_DATABASES: '{"oregon":{}}' };
    expect(() => readControllerEnvironment(broken)).toThrow(
      expect.objectContaining({
        errors: expect.arrayContaining([
          expect.stringContaining('EVERGRANT_EDGE is missing'),
          expect.stringContaining('EVERGRANT_PROFILE'),
          expect.stringContaining('{host, port} for oregon'),
          expect.stringContaining('{host, port} for virginia'),
        ]),
      }),
    );
  });
});
