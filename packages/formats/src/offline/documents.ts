import { type Static, Type } from '@sinclair/typebox';
import { readUnsigned, type UnsignedFile, writeUnsigned } from './unsigned';

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const YEAR_SECONDS = 31_536_000;
const DOCUMENT_OPTIONS = { additionalProperties: false, expected: 'a document of evergrant control-room' };

const Guid = Type.RegExp(GUID, { expected: 'a GUID in lower case' });
const Text = Type.RegExp(/^[^\p{Cc}\p{Cs}]{1,200}$/u, { expected: 'up to 200 characters' });

/** The request of an offline Control Room. The nonce identifies it, so that submitting it again is idempotent. */
const OfflineRequestSchema = Type.Object(
  {
    version: Type.Literal(1, { expected: '1' }),
    controlRoom: Guid,
    nonce: Guid,
    name: Text,
    wanted: Type.Array(
      Type.Object(
        {
          feature: Text,
          seats: Type.Integer({ minimum: 1, maximum: 2_147_483_647, expected: 'a whole number from 1' }),
        },
        DOCUMENT_OPTIONS,
      ),
      { minItems: 1, maxItems: 100, expected: '1 to 100 features' },
    ),
    durationSeconds: Type.Integer({
      minimum: 60,
      maximum: 10 * YEAR_SECONDS,
      expected: 'seconds, from a minute to ten years',
    }),
  },
  DOCUMENT_OPTIONS,
);
export type OfflineRequest = Static<typeof OfflineRequestSchema>;

/** The return of an offline Control Room. It returns all seats of one response. */
const OfflineReturnSchema = Type.Object(
  {
    version: Type.Literal(1, { expected: '1' }),
    controlRoom: Guid,
    nonce: Guid,
    /** SHA-256 of the signed response; it proves that the sender has the response. */
    responseSha256: Type.RegExp(/^[0-9a-f]{64}$/, { expected: 'a SHA-256 in hex' }),
  },
  DOCUMENT_OPTIONS,
);
export type OfflineReturn = Static<typeof OfflineReturnSchema>;

export function writeOfflineRequest(request: OfflineRequest): string {
  return writeUnsigned('EVERGRANT OFFLINE REQUEST', request);
}

export function readOfflineRequest(text: string): UnsignedFile<OfflineRequest> {
  const read = readUnsigned(text, 'EVERGRANT OFFLINE REQUEST', OfflineRequestSchema);
  if (read.kind === 'unreadable') return read;
  const features = read.document.wanted.map(({ feature }) => feature);
  const twice = features.find((feature, index) => features.indexOf(feature) !== index);
  return twice === undefined ? read : { kind: 'unreadable', reason: `it requests the feature "${twice}" twice` };
}

export function writeOfflineReturn(given: OfflineReturn): string {
  return writeUnsigned('EVERGRANT OFFLINE RETURN', given);
}

export function readOfflineReturn(text: string): UnsignedFile<OfflineReturn> {
  return readUnsigned(text, 'EVERGRANT OFFLINE RETURN', OfflineReturnSchema);
}
