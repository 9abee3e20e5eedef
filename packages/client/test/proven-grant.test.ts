import type { Grant } from '../src/core/verdict';
import { KeyRing } from '../src/keys/key-ring';
import { proveGrant } from '../src/leases/proven-grant';
import { JWKS, signedToken } from './license-service';

const IAT = 1_796_000_000;
const NONCE = 'nonce-of-this-request';
const CLAIMS = {
  jti: 'lease-1',
  sub: 'room',
  pool: { license: 'lic-1', product: 'studio', feature: 'bot' },
  policy: { graceSeconds: 60, suspendAfterSeconds: 120 },
  seats: 1,
  identity: 'installation-1',
  nonce: NONCE,
  iat: IAT,
  exp: IAT + 600,
};
const definition = {
  product: 'studio',
  feature: 'bot',
  seats: 1,
  licenseId: undefined,
  holder: 'room',
  identity: 'installation-1',
  number: 0,
};

/** An answer whose unsigned members promise more than the token. */
function answer(change: Partial<Grant> = {}, claims: object = {}): Grant {
  return {
    leaseId: 'lease-1',
    licenseId: 'lic-9',
    token: signedToken({ ...CLAIMS, ...claims }),
    epoch: 1,
    servedBy: 'oregon/app-1',
    expiresInMs: 70 * 365 * 86_400_000,
    heartbeatInMs: 86_400_000,
    sentAtMs: 0,
    serverTimeMs: IAT * 1_000 - 86_400_000,
    policy: { graceMs: 1e12, suspendAfterMs: 1e12 },
    borrowed: true,
    overdraft: false,
    nonce: NONCE,
    ...change,
  };
}

const proven: number[] = [];
function keyRing(keys: object = JWKS): KeyRing {
  return new KeyRing({
    pinned: undefined,
    stored: [],
    fetchKeys: async () => ({
      kind: 'response',
      status: 200,
      body: keys as Record<string, unknown>,
      retryAfterMs: undefined,
      serverDateMs: undefined,
      sentAtMs: 0,
    }),
    clock: { nowMs: () => performance.now(), wallMs: () => Date.now(), after: () => () => undefined },
    onChange: () => undefined,
    onProven: ({ issuedAtMs }) => proven.push(issuedAtMs),
  });
}

const prove = (grant: Grant, askedId = 'lease-1', keys = keyRing()) => proveGrant(keys, grant, { askedId, definition });

beforeEach(() => {
  proven.length = 0;
});

describe('the answer of a server', () => {
  it('has the times, the policy and the terms of its token, whatever its body promises', async () => {
    const verdict = await prove(answer());
    expect(verdict).toMatchObject({
      kind: 'proven',
      grant: {
        licenseId: 'lic-1',
        serverTimeMs: IAT * 1_000,
        policy: { graceMs: 60_000, suspendAfterMs: 120_000 },
        borrowed: false,
      },
    });
    const { grant } = verdict as { grant: Grant };
    expect(grant.expiresInMs).toBeLessThanOrEqual(600_999);
    expect(grant.heartbeatInMs).toBeLessThanOrEqual(grant.expiresInMs);
    expect(proven).toEqual([IAT * 1_000]);
  });

  it('keeps the part of a second that the token cuts off', async () => {
    const honest = answer({ serverTimeMs: IAT * 1_000 + 250, expiresInMs: 600_400 });
    expect(await prove(honest)).toMatchObject({ grant: { serverTimeMs: IAT * 1_000 + 250, expiresInMs: 600_400 } });
  });

  it('is refused when its token answers an earlier request, or none', async () => {
    for (const claims of [{ nonce: 'nonce-of-another-one' }, { nonce: undefined }]) {
      expect(await prove(answer({}, claims))).toMatchObject({
        kind: 'refused',
        detail: expect.stringContaining('nonce'),
      });
    }
    expect(proven).toEqual([]);
  });

  it('is refused when it names a lease of another installation that was not requested', async () => {
    expect((await prove(answer(), 'lease-2')).kind).toBe('proven');
    expect((await prove(answer({}, { identity: 'installation-2' }), 'lease-2')).kind).toBe('refused');
    expect((await prove(answer({}, { identity: undefined }), 'lease-2')).kind).toBe('refused');
  });

  it('is refused when its token had expired before it was issued, or no key can be had', async () => {
    expect((await prove(answer({}, { exp: IAT - 1 }))).kind).toBe('refused');
    expect(await prove(answer(), 'lease-1', keyRing({ keys: [] }))).toMatchObject({ kind: 'refused' });
  });
});
