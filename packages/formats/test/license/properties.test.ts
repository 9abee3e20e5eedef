import { createVendor, DRAFT, documentOf, LICENSE_KEY, NOW_MS, type Vendor } from '@evergrant/test-support/vendor';
import fc from 'fast-check';
import { readDocument } from '../../src/license/document';
import { inspectLicense } from '../../src/license/inspect';
import { REFUSAL_CODES } from '../../src/license/refusal-codes';
import { verifyLicense } from '../../src/license/verify';
import { anyDocument } from './support/arbitrary';

let vendor: Vendor;
beforeAll(async () => {
  vendor = await createVendor();
});

const context = () => ({ trust: vendor.trust, nowMs: NOW_MS, deploymentKeys: [vendor.deployment] });

it('verifyLicense: returns any document that was signed and encrypted', async () => {
  await fc.assert(
    fc.asyncProperty(anyDocument, fc.boolean(), async (document, encrypted) => {
      expect(readDocument(document)).toEqual({ kind: 'read', value: document });
      const encryptTo = { kind: 'deployment' as const, key: vendor.deployment };
      const file = await vendor.issue(document, encrypted ? { encryptTo } : {});
      expect(file.split('\n').every((line) => line.length <= 64)).toBe(true);
      const verdict = await verifyLicense(file, context());
      expect(verdict).toMatchObject({ kind: 'valid', document });
      // The converted document is equal to the original.
      if (verdict.kind === 'valid') expect(await verifyLicense(verdict.file, context())).toEqual(verdict);
    }),
    { numRuns: 150 },
  );
});

describe('verifyLicense: a file with one changed byte', () => {
  const files: Record<string, () => Promise<string>> = {
    'in the clear': () => vendor.issue(documentOf(DRAFT)),
    'encrypted to the deployment': () =>
      vendor.issue(documentOf(DRAFT), { encryptTo: { kind: 'deployment', key: vendor.deployment } }),
  };

  it.each(Object.keys(files))('is refused with a code: %s', async (how) => {
    const bytes = Buffer.from(await files[how]!());
    const pristine = await verifyLicense(bytes.toString(), context());
    expect(pristine.kind).toBe('valid');
    const codes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(bytes);
        changed[at] = changed[at]! ^ flip;
        const verdict = await verifyLicense(changed.toString(), context());
        expect(verdict.kind).toBe('refused');
        if (verdict.kind === 'refused') codes.add(verdict.code);
      }),
      { numRuns: 800 },
    );
    for (const code of codes) expect(REFUSAL_CODES).toContain(code);
    expect(codes).toContain('license_tampered');
  });

  /** Most bit flips leave the alphabet. These replace a character within it, where unused bits could hide a change. */
  it('is refused when a character is replaced with another of the alphabet', async () => {
    const file = await vendor.issue(documentOf(DRAFT));
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.';
    const end = file.indexOf('\n-----END');
    for (const at of [30, 700, end - 90, end - 2, end - 1]) {
      for (const letter of alphabet) {
        if (file[at] === letter || file[at] === '\n') continue;
        const verdict = await verifyLicense(file.slice(0, at) + letter + file.slice(at + 1), context());
        expect([at, letter, verdict.kind]).toEqual([at, letter, 'refused']);
      }
    }
  });

  it('is refused when it is encrypted with the license key', async () => {
    const encryptTo = { kind: 'license_key' as const, licenseKey: LICENSE_KEY };
    const bytes = Buffer.from(await vendor.issue(documentOf(DRAFT), { encryptTo }));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(bytes);
        changed[at] = changed[at]! ^ flip;
        const verdict = await verifyLicense(changed.toString(), { ...context(), licenseKey: LICENSE_KEY });
        expect(verdict.kind).toBe('refused');
      }),
      { numRuns: 60 },
    );
  });
});

describe('arbitrary input', () => {
  const armored = fc
    .tuple(
      fc.constantFrom('EVERGRANT LICENSE', 'LICENSE FILE', 'EVERGRANT CERTIFICATE'),
      fc.base64String(),
      fc.string(),
    )
    .map(([label, body, tail]) => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n${tail}`);
  const compact = fc
    .array(
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
      { minLength: 2, maxLength: 6 },
    )
    .map((parts) => `-----BEGIN EVERGRANT LICENSE-----\n${parts.join('.')}\n-----END EVERGRANT LICENSE-----\n`);
  const keygen = fc
    .record({
      enc: fc.base64String(),
      sig: fc.base64String(),
      alg: fc.constantFrom('base64+ed25519', 'aes-256-gcm+ed25519'),
    })
    .map((container) => Buffer.from(JSON.stringify(container)).toString('base64'))
    .map((body) => `-----BEGIN LICENSE FILE-----\n${body}\n-----END LICENSE FILE-----\n`);

  it('is refused by verifyLicense and inspectLicense without an exception', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), armored, compact, keygen), async (text) => {
        const trust = { ...vendor.trust, keygenPublicKeys: ['ab'.repeat(32)] };
        expect(await verifyLicense(text, { ...context(), trust, licenseKey: 'k' })).toMatchObject({
          kind: 'refused',
          code: expect.stringMatching(/^license_/),
          detail: expect.stringMatching(/^.{10,}/),
        });
        expect(['inspected', 'refused']).toContain((await inspectLicense(text, { licenseKey: 'k' })).kind);
      }),
      { numRuns: 500 },
    );
  });

  it('as a document is reported with validation errors', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const read = readDocument(value);
        expect(read.kind).toBe('invalid');
        if (read.kind === 'invalid') expect(read.errors.length).toBeGreaterThan(0);
      }),
    );
  });
});
