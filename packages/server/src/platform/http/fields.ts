import { Type } from '@sinclair/typebox';
import { PLAIN_TEXT, UUID } from './schemas';

/** Schemas of fields that several features share. */
export const nullable = <T extends ReturnType<typeof Type.String>>(schema: T) => Type.Union([schema, Type.Null()]);
export const licenseId = Type.String({ ...PLAIN_TEXT, description: 'The license' });
export const controlRoom = Type.String({ ...UUID, format: 'uuid', description: 'The GUID of the Control Room' });
export const group = Type.String({
  ...PLAIN_TEXT,
  description: 'A group of Control Rooms; reservations may be made for a group',
});
export const reason = Type.String({ ...PLAIN_TEXT, description: 'The reason, recorded in the audit log' });
export const tokenSha256 = Type.String({
  pattern: '^[0-9a-fA-F]{64}$',
  description:
    'SHA-256, in hex, of a token that the caller generated from at least 128 random bits. The token is never sent here',
});
export const Empty = Type.Null({ description: 'Done, now or before' });
