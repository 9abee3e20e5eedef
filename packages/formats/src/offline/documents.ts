import { type Static, Type } from '@sinclair/typebox';
import { readUnsigned, type UnsignedFile, writeUnsigned } from './unsigned';

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const YEAR_SECONDS = 31_536_000;
const WHOLE = { additionalProperties: false, expected: 'a document of evergrant control-room' };

const Guid = Type.RegExp(GUID, { expected: 'a GUID in lower case' });
const Text = Type.RegExp(/^[^\p{Cc}\p{Cs}]{1,200}$/u, { expected: 'up to 200 characters' });

/** What an offline Control Room asks for. The nonce makes it one request, however often it is brought. */
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
        WHOLE,
      ),
      { minItems: 1, maxItems: 100, expected: '1 to 100 features' },
    ),
    durationSeconds: Type.Integer({
      minimum: 60,
      maximum: 10 * YEAR_SECONDS,
      expected: 'seconds, from a minute to ten years',
    }),
  },
  WHOLE,
);
export type OfflineRequest = Static<typeof OfflineRequestSchema>;

/** What an offline Control Room gives back: all that one response had brought it. */
const OfflineReturnSchema = Type.Object(
  {
    version: Type.Literal(1, { expected: '1' }),
    controlRoom: Guid,
    nonce: Guid,
    /** Of the response as it was signed: who makes this has had it. */
    responseSha256: Type.RegExp(/^[0-9a-f]{64}$/, { expected: 'a SHA-256 in hex' }),
  },
  WHOLE,
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
  return twice === undefined ? read : { kind: 'unreadable', reason: `it asks for "${twice}" twice` };
}

export function writeOfflineReturn(given: OfflineReturn): string {
  return writeUnsigned('EVERGRANT OFFLINE RETURN', given);
}

export function readOfflineReturn(text: string): UnsignedFile<OfflineReturn> {
  return readUnsigned(text, 'EVERGRANT OFFLINE RETURN', OfflineReturnSchema);
}
