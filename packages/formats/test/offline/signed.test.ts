import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { Lease } from '@evergrant/server/granting/core/lease';
import { createLeaseTokens } from '@evergrant/server/granting/lease-tokens';
import { createOfflineTokens } from '@evergrant/server/offline/offline-tokens';
import type { SigningKey } from '@evergrant/server/platform/jws';
import fc from 'fast-check';
import type { JSONWebKeySet } from 'jose';
import { readOfflineRequest, writeOfflineRequest } from '../../src/offline/documents';
import {
  verifyOfflineReceipt,
  verifyOfflineResponse,
  writeOfflineReceipt,
  writeOfflineResponse,
} from '../../src/offline/signed';

const key = (kid: string): SigningKey => ({
  ...(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as {
    kty: string;
    crv: string;
    x: string;
    d: string;
  }),
  kid,
});

const NOW_MS = Date.parse('2026-06-01T12:00:00Z');
const ROOM = randomUUID();
const OTHER_ROOM = randomUUID();
const NONCE = randomUUID();
const ours = key('ours');
const POLICY = { graceSeconds: 1, suspendAfterSeconds: 2 };

async function responseOf({
  signer = ours,
  room = ROOM,
  leaseRoom,
}: {
  signer?: SigningKey;
  room?: string;
  leaseRoom?: string;
} = {}): Promise<string> {
  const lease: Lease = {
    id: randomUUID(),
    poolId: 1,
    holder: 'The ship',
    controlRoom: leaseRoom ?? room,
    identity: undefined,
    seats: 3,
    overdraft: false,
    borrowed: true,
    seq: 3,
    epoch: 1,
    expiresAtMs: NOW_MS + 86_400_000,
    state: 'live',
  };
  const pool = { licenseId: 'lic-1', product: 'Navigator', feature: 'chart', policy: POLICY };
  const token = await (await createLeaseTokens([signer])).sign(lease, pool, { atMs: NOW_MS });
  return writeOfflineResponse(
    await createOfflineTokens([signer]).signResponse({
      controlRoom: room,
      nonce: NONCE,
      licenseId: 'lic-1',
      requestSha256: 'ab'.repeat(32),
      leases: [{ token, nowMs: NOW_MS, lease }],
    }),
  );
}

const keysOf = async (...signers: SigningKey[]) => (await createLeaseTokens(signers)).jwks as JSONWebKeySet;
const verify = async (text: string, { signers = [ours], nonce = NONCE, nowMs = NOW_MS } = {}) =>
  verifyOfflineResponse(text, { keys: await keysOf(...signers), controlRoom: ROOM, nonce, nowMs });

describe('verifyOfflineResponse', () => {
  it('returns the lent seats and their expiry', async () => {
    expect(await verify(await responseOf())).toMatchObject({
      kind: 'valid',
      leases: [{ product: 'Navigator', feature: 'chart', seats: 3, expiresAtMs: NOW_MS + 86_400_000 }],
    });
  });

  it('accepts a retired key that is still published', async () => {
    expect((await verify(await responseOf(), { signers: [key('newer'), ours] })).kind).toBe('valid');
  });

  it.each<[string, () => Promise<string>, Parameters<typeof verify>[1], string]>([
    ['signed with another key', () => responseOf({ signer: key('theirs') }), {}, 'untrusted'],
    ['signed with another key under the same kid', () => responseOf({ signer: key('ours') }), {}, 'untrusted'],
    ['for another Control Room', () => responseOf({ room: OTHER_ROOM }), {}, 'of_another_control_room'],
    ['with the lease of another Control Room', () => responseOf({ leaseRoom: OTHER_ROOM }), {}, 'untrusted'],
    ['to another request', () => responseOf(), { nonce: randomUUID() }, 'of_another_request'],
    ['that has expired', () => responseOf(), { nowMs: NOW_MS + 86_400_000 }, 'expired'],
  ])('refuses a response %s', async (_what, make, context, code) => {
    expect(await verify(await make(), context)).toMatchObject({ kind: 'refused', code });
  });

  it('refuses any changed character', async () => {
    const text = await responseOf();
    const at = [...text].flatMap((letter, index) =>
      /[A-Za-z0-9_-]/.test(letter) && text.lastIndexOf('\n', index) > 10 ? [index] : [],
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...at), fc.constantFrom('A', 'b', '7', '_'), async (index, letter) => {
        fc.pre(text[index] !== letter);
        const changed = `${text.slice(0, index)}${letter}${text.slice(index + 1)}`;
        expect((await verify(changed)).kind).not.toBe('valid');
      }),
      { numRuns: 150 },
    );
  });

  it('refuses a changed last character, including its unused bits', async () => {
    const text = await responseOf();
    const last = text.indexOf('\n-----END') - 1;
    for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
      const changed = text.slice(0, last) + letter + text.slice(last + 1);
      if (changed !== text) expect([letter, (await verify(changed)).kind]).toEqual([letter, 'refused']);
    }
  });
});

it('verifyOfflineResponse and verifyOfflineReceipt: each refuses the other document', async () => {
  const receipt = await createOfflineTokens([ours]).signReceipt({
    controlRoom: ROOM,
    nonce: NONCE,
    licenseId: 'lic-1',
    leaseIds: [],
  });
  expect(await verifyOfflineReceipt(writeOfflineReceipt(receipt), await keysOf(ours))).toMatchObject({ kind: 'valid' });
  expect(await verify(writeOfflineResponse(receipt))).toMatchObject({ kind: 'refused', code: 'untrusted' });
  const response = (await responseOf()).replaceAll('RESPONSE', 'RECEIPT');
  expect(await verifyOfflineReceipt(response, await keysOf(ours))).toMatchObject({ kind: 'refused' });
});

it('readOfflineRequest: returns any request that writeOfflineRequest wrote', () => {
  const uuid = fc.uuid().map((text) => text.toLowerCase());
  const text = fc
    .string({ minLength: 1, maxLength: 100, unit: 'grapheme' })
    .filter((each) => /^[^\p{Cc}\p{Cs}]{1,200}$/u.test(each));
  fc.assert(
    fc.property(
      fc.record({
        version: fc.constant(1 as const),
        controlRoom: uuid,
        nonce: uuid,
        name: text,
        wanted: fc.uniqueArray(fc.record({ feature: text, seats: fc.integer({ min: 1, max: 2_147_483_647 }) }), {
          minLength: 1,
          maxLength: 20,
          selector: ({ feature }) => feature,
        }),
        durationSeconds: fc.integer({ min: 60, max: 315_360_000 }),
      }),
      (request) => {
        const written = writeOfflineRequest(request);
        expect(written.split('\n').every((line) => line.length <= 72)).toBe(true);
        // Mail changes line ends.
        expect(readOfflineRequest(written.replaceAll('\n', '\r\n'))).toMatchObject({ kind: 'read', document: request });
      },
    ),
  );
});
