import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError, EnvironmentReader } from '../../src/proxy/environment';

describe('an environment', () => {
  let dir: string;
  let secrets: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'evergrant-environment-'));
    secrets = join(dir, 'secrets.json');
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  const read = (variables: Record<string, string>) => {
    const reader = new EnvironmentReader(variables);
    return reader.complete({
      port: reader.port('PORT'),
      routers: reader.urlsByName('ROUTERS', ['oregon', 'virginia']),
      targets: reader.namedUrls('TARGETS'),
      profile: reader.oneOf('PROFILE', ['default', 'fast'], 'default'),
      adminToken: reader.secret('SECRETS', 'adminToken'),
    });
  };

  const mistakesOf = (variables: Record<string, string>): readonly string[] => {
    try {
      read(variables);
      return [];
    } catch (error) {
      if (error instanceof EnvironmentError) return error.mistakes;
      throw error;
    }
  };

  it('is read whole', () => {
    writeFileSync(secrets, '{"adminToken":"s3cret"}');
    const variables = {
      PORT: '8081',
      ROUTERS: '{"oregon":"http://127.0.0.1:8081/","virginia":"http://127.0.0.1:8082"}',
      TARGETS: '[{"name":"oregon/app-1","url":"http://127.0.0.1:8091"}]',
      SECRETS: secrets,
    };
    expect(read(variables)).toEqual({
      port: 8081,
      routers: { oregon: 'http://127.0.0.1:8081', virginia: 'http://127.0.0.1:8082' },
      targets: [{ name: 'oregon/app-1', url: 'http://127.0.0.1:8091' }],
      profile: 'default',
      adminToken: 's3cret',
    });
  });

  it('tells every mistake at once', () => {
    const mistakes = mistakesOf({
      PORT: 'eighty',
      ROUTERS: '{"oregon":"ftp://x"}',
      TARGETS: '[]',
      PROFILE: 'slow',
      SECRETS: join(dir, 'missing.json'),
    });
    expect(mistakes).toEqual([
      'PORT is not a port: eighty',
      'ROUTERS.oregon is not an http address: ftp://x',
      'ROUTERS has no address for virginia',
      'TARGETS is not a list of {name, url}',
      "PROFILE is 'slow'; it is one of default, fast",
      `SECRETS: ${join(dir, 'missing.json')} cannot be read (ENOENT)`,
    ]);
  });

  it('says what is missing', () => {
    expect(mistakesOf({})).toEqual(['PORT', 'ROUTERS', 'TARGETS', 'SECRETS'].map((name) => `${name} is missing`));
  });

  it('never quotes a secret', () => {
    writeFileSync(secrets, '{"adminToken":"s3cret"');
    expect(mistakesOf({ PORT: '1', ROUTERS: '{}', TARGETS: '[]', SECRETS: secrets }).join()).not.toContain('s3cret');
  });
});
