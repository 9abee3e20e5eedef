import type { LicenseDocument } from '@evergrant/formats/license/document';
import type { Static } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import type { AppOptions } from '../platform/http/app-options';
import { acknowledgedReply, type MutationReply, mutatingRoute } from '../platform/http/mutating-route';
import { refusalReply } from '../platform/http/problem-mapping';
import { problemReply, problemResponses, sendProblem } from '../platform/http/problems';
import type { ProblemReply } from '../platform/http/reply';
import { type ImportRefusal, importRefusalText } from './core/license-import';
import type { ImportAnswer, SuccessfulImport } from './import-service';
import {
  FILE_BODY_MAX_BYTES,
  Imported,
  License,
  LicenseFileBody,
  LicenseFileHeaders,
  LicenseParams,
  Licenses,
} from './license-schemas';

type LicenseRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const TAGS = ['licenses'];
const SECURITY = [{ bearer: [] }];
const ACCESS = ['unauthenticated', 'forbidden'] as const;
const UNAVAILABLE = ['not_granting', 'not_protected', 'outcome_unknown', 'overloaded', 'database_unreachable'] as const;
const REFUSALS = [
  'license_tampered',
  'license_unknown_key',
  'license_key_expired',
  'license_expired',
  'license_not_yet_valid',
  'license_wrong_server',
  'license_not_for_this_deployment',
  'license_suspended',
  'license_replayed',
  'license_issue_reused',
  'license_kind_changed',
  'license_key_in_use',
  'license_shrinks_below_use',
  'license_unreadable',
] as const;

/** Routes that import license files and read licenses. */
export function licenseRoutes(routes: FastifyInstance, options: LicenseRouteOptions): void {
  importRoute(routes, options);
  queryRoutes(routes, options);
}

function importRoute(routes: FastifyInstance, options: LicenseRouteOptions): void {
  // Only license files, which are text, are accepted here.
  routes.removeContentTypeParser('application/json');
  routes.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  mutatingRoute<{ Body: Static<typeof LicenseFileBody>; Headers: Static<typeof LicenseFileHeaders> }>(routes, {
    method: 'POST',
    url: '/v1/licenses',
    acknowledges: ['replicated', 'restriction'],
    bodyLimit: FILE_BODY_MAX_BYTES,
    schema: {
      tags: TAGS,
      summary: 'Import a license file',
      description: 'Verifies the file and applies it to the pools, in one transaction or not at all. Idempotent.',
      security: SECURITY,
      consumes: ['text/plain'],
      headers: LicenseFileHeaders,
      body: LicenseFileBody,
      response: { 200: Imported, 201: Imported, ...problemResponses(...ACCESS, ...REFUSALS, ...UNAVAILABLE) },
    },
    onRequest: options.authenticate('admin'),
    answer: async (request) => {
      const answer = await options.licenseImports.import({
        text: request.body,
        licenseKey: request.headers['evergrant-license-key'],
        submittedBy: request.caller.name,
      });
      return importReply(answer, options);
    },
  });
}

function importReply(answer: ImportAnswer, options: AppOptions): MutationReply {
  switch (answer.kind) {
    case 'acknowledged':
      return acknowledgedReply(answer, {
        status: answer.value.kind === 'imported' ? 201 : 200,
        body: importedBody(answer.value),
      });
    case 'file_refused': {
      const { code, detail, errors } = answer.refusal;
      return problemReply(code, { detail, members: errors.length > 0 ? { mistakes: errors } : {} });
    }
    case 'import_refused':
      return importRefusalReply(answer.refusal, answer.document);
    default:
      return refusalReply(answer, options);
  }
}

function importedBody(answer: SuccessfulImport): object {
  const { licenseId, issue, customer, product, kind, validFrom, validUntil } = answer.document;
  const license = { licenseId, issue, customer, product, kind, validFrom, validUntil };
  const { dropped, leasesCut, borrowedBeyond } = answer;
  return { outcome: answer.kind, ...license, dropped, leasesCut, borrowedBeyond };
}

function importRefusalReply(refusal: ImportRefusal, document: LicenseDocument): ProblemReply {
  const { outcome, ...members } = refusal;
  const { licenseId, issue } = document;
  return problemReply(outcome, {
    detail: importRefusalText(refusal, document),
    members: { licenseId, issue, ...members },
  });
}

function queryRoutes(routes: FastifyInstance, { database, authenticate }: LicenseRouteOptions): void {
  routes.get(
    '/v1/licenses',
    {
      schema: {
        tags: TAGS,
        summary: 'Read all licenses',
        security: SECURITY,
        response: { 200: Licenses, ...problemResponses(...ACCESS, 'database_unreachable') },
      },
      onRequest: authenticate('read', 'admin'),
    },
    // A token that is bound to a license cannot see any other license.
    async ({ caller }) => ({ licenses: await database.licenses.read(caller.licenseId) }),
  );

  routes.get<{ Params: Static<typeof LicenseParams> }>(
    '/v1/licenses/:licenseId',
    {
      schema: {
        tags: TAGS,
        summary: 'Read one license',
        security: SECURITY,
        params: LicenseParams,
        response: {
          200: License,
          ...problemResponses(...ACCESS, 'license_not_found', 'invalid_request', 'database_unreachable'),
        },
      },
      onRequest: authenticate('read', 'admin'),
    },
    async ({ caller, params: { licenseId } }, reply) => {
      const within = caller.licenseId === undefined || caller.licenseId === licenseId;
      const [license] = within ? await database.licenses.read(licenseId) : [];
      return license ?? sendProblem(reply, 'license_not_found');
    },
  );
}
