import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError } from '@evergrant/core/environment/environment-error';
import { oneOf, port } from '@evergrant/core/environment/variables';
import { createEnvironmentReader, namedUrls, originsByName, secret } from '../../src/proxy/environment';

describe('proxy environment', () => {
  let dir: string;
  let secrets: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'evergrant-environment-'));
    secrets = join(dir, 'secrets.json');
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  const read = (variables: Record<string, string>) => {
    const reader = createEnvironmentReader(variables);
    return reader.complete({
      port: reader.read(port('PORT', { description: 'a port' })),
      routers: reader.read(originsByName('ROUTERS', ['oregon', 'virginia'])),
      targets: reader.read(namedUrls('TARGETS')),
      profile: reader.read(
        oneOf('PROFILE', { values: ['default', 'fast'], default: 'default', description: 'the profile' }),
      ),
      adminToken: reader.read(secret('SECRETS_FILE', 'adminToken')),
    });
  };

  const errorsOf = (variables: Record<string, string>): readonly string[] => {
    try {
      read(variables);
      return [];
    } catch (error) {
      if (error instanceof EnvironmentError) return error.errors;
      throw error;
    }
  };

  it('returns every value', () => {
    writeFileSync(secrets, '{"adminToken":"s3cret"}');
    const variables = {
      PORT: '8081',
      ROUTERS: '{"oregon":"http://127.0.0.1:8081/","virginia":"http://127.0.0.1:8082"}',
      TARGETS: '[{"name":"oregon/app-1","url":"http://127.0.0.1:8091"}]',
      SECRETS_FILE: secrets,
    };
    expect(read(variables)).toEqual({
      port: 8081,
      routers: { oregon: 'http://127.0.0.1:8081', virginia: 'http://127.0.0.1:8082' },
      targets: [{ name: 'oregon/app-1', url: 'http://127.0.0.1:8091' }],
      profile: 'default',
      adminToken: 's3cret',
    });
  });

  it('reports every error at once', () => {
    const errors = errorsOf({
      PORT: 'eighty',
      ROUTERS: '{"oregon":"ftp://x"}',
      TARGETS: '[]',
      PROFILE: 'slow',
      SECRETS_FILE: join(dir, 'missing.json'),
    });
    expect(errors).toEqual([
      'PORT must be a whole number from 0 to 65535, not "eighty"',
      'ROUTERS.oregon must be an http or https address, not "ftp://x"',
      'ROUTERS has no address for virginia',
      'TARGETS must be a JSON list of {name, url}',
      'PROFILE must be one of default, fast, not "slow"',
      `SECRETS_FILE: ${join(dir, 'missing.json')} cannot be read (ENOENT)`,
    ]);
  });

  it('names every missing variable', () => {
    expect(errorsOf({})).toEqual(
      ['PORT', 'ROUTERS', 'TARGETS', 'SECRETS_FILE'].map((name) => expect.stringMatching(`^${name} is missing`)),
    );
  });

  it('never quotes a secret', () => {
    writeFileSync(secrets, '{"adminToken":"s3cret"');
    expect(errorsOf({ PORT: '1', ROUTERS: '{}', TARGETS: '[]', SECRETS_FILE: secrets }).join()).not.toContain('s3cret');
  });
});
