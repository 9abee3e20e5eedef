import { EnvironmentError } from '../src/environment/environment-error';
import { EnvironmentReader, type Variables } from '../src/environment/environment-reader';
import {
  httpOrigin,
  integer,
  json,
  oneOf,
  optionalInteger,
  optionalText,
  port,
  text,
} from '../src/environment/variables';

const SCHEMA = {
  name: text('NAME', { description: 'the name of the server' }),
  host: text('HOST', { description: 'the address to listen on', default: '127.0.0.1' }),
  note: optionalText('NOTE', { description: 'a note' }),
  listen: port('PORT', { description: 'the port to listen on' }),
  leaseMs: integer('LEASE_MS', { description: 'the lease, in milliseconds', min: 1, max: 1_000, default: 100 }),
  everyMs: optionalInteger('EVERY_MS', { description: 'an interval, in milliseconds', min: 1, max: 1_000 }),
  level: oneOf('LEVEL', { description: 'the log level', values: ['info', 'debug'], default: 'info' }),
  url: httpOrigin('URL', { description: 'the address of the router' }),
  paths: json('PATHS', {
    description: 'a JSON list of paths',
    placeholder: [] as readonly string[],
    required: false,
    parse: (value) =>
      Array.isArray(value)
        ? { kind: 'valid', value: value.map(String) }
        : { kind: 'invalid', errors: ['must be a JSON list of paths'] },
  }),
};

function read(variables: Variables) {
  const reader = new EnvironmentReader(variables);
  return reader.complete(reader.readAll(SCHEMA));
}

function errorsOf(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof EnvironmentError) return error.errors;
    throw error;
  }
  return [];
}

const VALID = { NAME: 'oregon/app-1', PORT: '8080', URL: 'http://router.test:1/path' };

describe('EnvironmentReader', () => {
  it('returns typed values and defaults', () => {
    expect(read({ ...VALID, PATHS: '["a"]', EVERY_MS: '5', NOTE: '' })).toEqual({
      name: 'oregon/app-1',
      host: '127.0.0.1',
      note: undefined,
      listen: 8080,
      leaseMs: 100,
      everyMs: 5,
      level: 'info',
      url: 'http://router.test:1',
      paths: ['a'],
    });
  });

  it('reports every error at once, with what to do', () => {
    const variables = { PORT: 'eighty', LEASE_MS: '0', LEVEL: 'loud', URL: 'ftp://x', PATHS: '{}', EVERY_MS: '1.5' };
    expect(errorsOf(() => read(variables))).toEqual([
      'NAME is missing: set it to the name of the server',
      'PORT must be a whole number from 0 to 65535, not "eighty"',
      'LEASE_MS must be a whole number from 1 to 1000, not "0"',
      'EVERY_MS must be a whole number from 1 to 1000, not "1.5"',
      'LEVEL must be one of info, debug, not "loud"',
      'URL must be an http or https address, not "ftp://x"',
      'PATHS must be a JSON list of paths',
    ]);
  });

  it('includes errors that a check outside of the schema adds', () => {
    const reader = new EnvironmentReader(VALID);
    reader.readAll(SCHEMA);
    reader.addError('A must be shorter than B');
    expect(errorsOf(() => reader.complete({}))).toEqual(['A must be shorter than B']);
  });

  it('reads a JSON file, or the document injected without _FILE', () => {
    const readFile = (path: string): string => {
      if (path === '/secrets') return '{"a":1}';
      if (path === '/text') return 'hush-hush';
      throw Object.assign(new Error('hush-hush'), { code: 'ENOENT' });
    };
    const secrets = (variables: Variables) => {
      const reader = new EnvironmentReader(variables, { readFile });
      return reader.complete(reader.jsonFile('SECRETS_FILE', { description: 'the path of the secrets' }));
    };
    expect(secrets({ SECRETS_FILE: '/secrets' })).toEqual({ a: 1 });
    expect(secrets({ SECRETS: '{"b":2}' })).toEqual({ b: 2 });
    expect(errorsOf(() => secrets({}))).toEqual(['SECRETS_FILE is missing: set it to the path of the secrets']);
    expect(errorsOf(() => secrets({ SECRETS_FILE: '/text' }))).toEqual(['SECRETS_FILE: /text is not JSON']);
    expect(errorsOf(() => secrets({ SECRETS_FILE: '/x' }))).toEqual(['SECRETS_FILE: /x cannot be read (ENOENT)']);
  });
});
