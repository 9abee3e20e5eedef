import { Type } from '@sinclair/typebox';

/** Printable text that PostgreSQL can store: no control characters and no lone surrogates. */
export const PLAIN_TEXT = { minLength: 1, maxLength: 200, pattern: '^[^\\p{Cc}\\p{Cs}]*$' };
export const SEATS_MAX = 2_147_483_647;
export const UUID = { pattern: '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$' };
export const PAGE_SIZE_DEFAULT = 100;
export const product = Type.String({ ...PLAIN_TEXT, description: 'The product of the entitlement' });
export const feature = Type.String({ ...PLAIN_TEXT, description: 'The feature of the entitlement' });
export const licenseId = Type.String({ ...PLAIN_TEXT, description: 'The license that provides the feature' });
export const holder = Type.String({ ...PLAIN_TEXT, description: 'Who holds the seats, for people to read' });
export const uuid = Type.String({ ...UUID, format: 'uuid' });
export const instant = Type.String({ format: 'date-time', description: "By the database's clock" });
export const PageLimit = Type.String({
  pattern: '^([1-9][0-9]{0,2}|1000)$',
  description: `1 to 1000; ${PAGE_SIZE_DEFAULT} by default`,
});
