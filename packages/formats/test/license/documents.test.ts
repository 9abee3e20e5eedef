import { DRAFT, documentOf, GUID, LICENSE_KEY } from '@evergrant/test-support/vendor';
import { readDocument } from '../../src/license/document';
import { licenseKeySha256 } from '../../src/license/license-key';
import { withDefaults } from '../../src/license/with-defaults';

function errors(draft: unknown): string[] {
  const read = withDefaults(draft);
  return read.kind === 'invalid' ? read.errors.map(({ path, message }) => `${path} ${message}`) : [];
}

describe('withDefaults', () => {
  it('writes every default explicitly', () => {
    const { issue, ...draft } = DRAFT;
    expect(issue).not.toBe(1);
    expect(documentOf({ ...draft, licenseKey: LICENSE_KEY.toUpperCase() })).toEqual({
      ...draft,
      version: 1,
      issue: 1,
      licenseKeySha256: licenseKeySha256(LICENSE_KEY),
      policy: { graceSeconds: 172_800, suspendAfterSeconds: 2_592_000 },
      entitlements: [
        {
          feature: 'studio',
          seats: 25,
          overdraft: 0,
          escrow: 3,
          leaseTtlSeconds: 600,
          borrowSecondsMax: 0,
          onDisconnect: 'keep',
          reservations: [],
        },
      ],
    });
  });

  it('converts GUIDs to lower case', () => {
    const reservations = [{ controlRoom: GUID.toUpperCase(), seats: 1 }];
    const cloud = documentOf({ ...DRAFT, entitlements: [{ feature: 'studio', seats: 2, reservations }] });
    expect(cloud.entitlements[0]?.reservations).toEqual([{ controlRoom: GUID, seats: 1 }]);
    expect(documentOf({ ...DRAFT, kind: 'guid', controlRoom: GUID.toUpperCase() }).controlRoom).toBe(GUID);
  });

  it('leaves a complete document unchanged', () => {
    const document = documentOf(DRAFT);
    expect(readDocument(document)).toEqual({ kind: 'read', value: document });
    expect(withDefaults(document)).toEqual({ kind: 'read', value: document });
  });
});

describe('document validation', () => {
  it('reports every schema error with its path', () => {
    const draft = {
      licenseId: '',
      issue: 1.5,
      product: 7,
      kind: 'cloud',
      licenseKey: 'secret-and-no-guid',
      validFrom: 'yesterday',
      seats: 4,
      policy: { graceSeconds: -1 },
      entitlements: [{ feature: 'studio', seats: -1, onDisconnect: 'drop', reservations: [{ seats: 0 }] }, 'runner'],
    };
    const named = errors(draft);
    expect(named.map((each) => each.split(' ')[0]).sort()).toEqual(
      [
        'customer',
        'entitlements.0.onDisconnect',
        'entitlements.0.reservations.0.seats',
        'entitlements.0.seats',
        'entitlements.1',
        'issue',
        'licenseId',
        'licenseKey',
        'policy.graceSeconds',
        'product',
        'seats',
        'validFrom',
        'validUntil',
      ].sort(),
    );
    expect(named).toContain(
      'customer is missing; it must be text of 1 to 200 characters, without control characters and without spaces at either end',
    );
    expect(named.join()).not.toContain('secret-and-no-guid');
  });

  it.each<[string, object, string]>([
    ['an end before the start', { validUntil: DRAFT.validFrom }, 'validUntil must be after validFrom'],
    ['a date that does not exist', { validUntil: '2026-02-30T00:00:00Z' }, 'validUntil is not a date of the calendar'],
    ['a guid license without its Control Room', { kind: 'guid' }, 'controlRoom is required for a license of kind guid'],
    [
      'a cloud license with a Control Room',
      { controlRoom: GUID },
      'controlRoom is only allowed for a license of kind guid',
    ],
    [
      'a redundant license without servers',
      { kind: 'redundant' },
      'servers is required for a license of kind redundant',
    ],
    [
      'two servers',
      { kind: 'redundant', servers: ['a/b', 'c/d'] },
      'servers must be a list of three different servers',
    ],
    [
      'a repeated server',
      { kind: 'redundant', servers: ['a/b', 'c/d', 'a/b'] },
      'servers must be a list of three different servers',
    ],
    [
      'suspension before grace has ended',
      { policy: { graceSeconds: 60, suspendAfterSeconds: 59 } },
      'policy.suspendAfterSeconds must not be less than policy.graceSeconds',
    ],
    [
      'a repeated feature',
      { entitlements: [...DRAFT.entitlements, ...DRAFT.entitlements] },
      'entitlements must not name the feature studio more than once',
    ],
    ['no entitlement', { entitlements: [] }, 'entitlements must be a list of 1 to 1000 entitlements'],
    [
      'too many seats',
      { entitlements: [{ feature: 'studio', seats: 2 ** 31 - 1, overdraft: 1 }] },
      'entitlements.0.overdraft and seats together must not exceed 2147483647',
    ],
  ])('reports %s', (_what, changed, expected) => {
    expect(errors({ ...DRAFT, ...changed })).toEqual([expected]);
  });

  it.each<[string, object[], string]>([
    [
      'beyond the seats of the entitlement',
      [
        { group: 'a', seats: 20 },
        { group: 'b', seats: 6 },
      ],
      'entitlements.0.reservations must not reserve 26 of 25 seats',
    ],
    ['without a holder', [{ seats: 1 }], 'entitlements.0.reservations.0 must name either controlRoom or group'],
    [
      'for a Control Room and a group at once',
      [{ group: 'a', controlRoom: GUID, seats: 1 }],
      'entitlements.0.reservations.0 must name either controlRoom or group',
    ],
    [
      'twice for one group',
      [
        { group: 'a', seats: 1 },
        { group: 'a', seats: 2 },
      ],
      'entitlements.0.reservations must not name a more than once',
    ],
  ])('reports seats reserved %s', (_what, reservations, expected) => {
    expect(errors({ ...DRAFT, entitlements: [{ feature: 'studio', seats: 25, reservations }] })).toEqual([expected]);
  });

  it('reports reservations in a license of kind guid', () => {
    const entitlements = [{ feature: 'studio', seats: 5, reservations: [{ group: 'a', seats: 1 }] }];
    expect(errors({ ...DRAFT, kind: 'guid', controlRoom: GUID, entitlements })).toHaveLength(1);
  });

  it.each([null, 7, 'text', []])('reports a draft that is %p', (draft) => {
    expect(errors(draft)).not.toEqual([]);
  });
});
