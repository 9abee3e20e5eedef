import { readFileSync } from 'node:fs';
import { OPENAPI_FILE, openapiDocument } from '../../scripts/openapi';

it('openapi: the committed document matches the routes of the server (npm run openapi)', async () => {
  // Compared as one boolean: a difference of half a megabyte of text takes Jest minutes to print.
  const isCurrent = (await openapiDocument()) === readFileSync(OPENAPI_FILE, 'utf8');
  expect(isCurrent).toBe(true);
});
