import type { EnvironmentError } from '@evergrant/core/environment/environment-error';
import {
  CertificateFolder,
  type Certified,
  createAuthority,
  issueTestCertificate,
} from '@evergrant/test-support/certificates';
import { readerOf } from '../../src/config/environment';
import { readSecurity, SECURITY_DEFAULT, type Security } from '../../src/config/security';

let folder: CertificateFolder;
let authority: Certified;

beforeAll(async () => {
  folder = new CertificateFolder();
  authority = await createAuthority();
});

afterAll(() => folder.remove());

/** The security settings, or every validation error. */
function read(host: string, variables: Record<string, string> = {}): Security | readonly string[] {
  const reader = readerOf(variables);
  const security = readSecurity(reader, host);
  try {
    return reader.complete(security);
  } catch (error) {
    return (error as EnvironmentError).errors;
  }
}

it.each(['127.0.0.1', '127.8.8.8', 'localhost', '::1'])('allows plain HTTP on loopback address %s', (host) => {
  expect(read(host)).toEqual(SECURITY_DEFAULT);
});

it.each(['0.0.0.0', '::', '10.0.0.7', 'license.example.test', '127.0.0.1.example.test'])(
  'does not listen without TLS on %s, and says what to do',
  (host) => {
    expect(read(host)).toEqual([
      expect.stringMatching(/EVERGRANT_TLS_CERTIFICATE_FILE .* or EVERGRANT_TLS_ENDS_BEFORE=yes/),
    ]);
  },
);

it('allows plain HTTP anywhere when TLS is terminated upstream', () => {
  expect(read('0.0.0.0', { EVERGRANT_TLS_ENDS_BEFORE: 'yes' })).toEqual(SECURITY_DEFAULT);
  expect(read('0.0.0.0', { EVERGRANT_TLS_ENDS_BEFORE: 'no' })).toHaveLength(1);
});

describe('certificate and key', () => {
  it('are used when they match', async () => {
    const { cert, key } = await issueTestCertificate(authority);
    const certificate = folder.write('a.crt', cert);
    const keyFile = folder.write('a.key', key);
    expect(
      read('0.0.0.0', { EVERGRANT_TLS_CERTIFICATE_FILE: certificate, EVERGRANT_TLS_KEY_FILE: keyFile }),
    ).toMatchObject({ tls: { certificate, key: keyFile, clientCa: undefined } });
  });

  it.each<[string, () => Promise<Record<string, string>>, RegExp]>([
    [
      'that do not match',
      async () => ({
        EVERGRANT_TLS_CERTIFICATE_FILE: folder.write('b.crt', (await issueTestCertificate(authority)).cert),
        EVERGRANT_TLS_KEY_FILE: folder.write('b.key', (await issueTestCertificate(authority)).key),
      }),
      /the key is not the key of the certificate/,
    ],
    [
      'of which one is missing',
      async () => ({ EVERGRANT_TLS_CERTIFICATE_FILE: folder.write('c.crt', authority.cert) }),
      /go together/,
    ],
    [
      'that do not exist',
      async () => ({ EVERGRANT_TLS_CERTIFICATE_FILE: '/nowhere/a.crt', EVERGRANT_TLS_KEY_FILE: '/nowhere/a.key' }),
      /\/nowhere\/a\.crt cannot be read \(ENOENT\)/,
    ],
    [
      'that are invalid',
      async () => ({
        EVERGRANT_TLS_CERTIFICATE_FILE: folder.write('d.crt', 'hush-hush'),
        EVERGRANT_TLS_KEY_FILE: folder.write('d.key', 'hush-hush'),
      }),
      /is not usable/,
    ],
    ['for clients only', async () => ({ EVERGRANT_TLS_CLIENT_CA_FILE: '/nowhere/ca.crt' }), /needs/],
  ])('%s are refused with a helpful message that quotes no secret', async (_what, variables, message) => {
    const errors = read('127.0.0.1', await variables());
    expect(errors).toEqual([expect.stringMatching(message)]);
    expect(JSON.stringify(errors)).not.toContain('hush-hush');
  });
});

it('limits: are read from the environment, and invalid ones are reported', () => {
  expect(read('127.0.0.1', { EVERGRANT_RATE_PER_CONTROL_ROOM: '7' })).toMatchObject({
    rateLimits: { ...SECURITY_DEFAULT.rateLimits, perControlRoom: 7 },
  });
  expect(read('127.0.0.1', { EVERGRANT_RATE_PER_TOKEN: '0', EVERGRANT_CONNECTIONS_MAX: 'many' })).toHaveLength(2);
});
