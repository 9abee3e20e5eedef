import type { FastifyError, FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { DatabaseFailure } from '../ports';
import { type ProblemCode, sendProblem } from './problems';

const RETRY_AFTER_SECONDS = 1;

const PROBLEM_BY_FRAMEWORK_CODE: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_body',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_body',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
};

/** Every error becomes a problem document, the framework's own included; a fault tells the caller nothing. */
export function answerErrors(app: FastifyInstance, log: Logger): void {
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, 'not_found'));
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error.validation) {
      const errors = fieldErrors(error.validation, error.validationContext);
      return sendProblem(reply, 'invalid_request', {
        detail: errors.map(({ field, detail }) => `${field} ${detail}`).join('; '),
        members: { field: errors[0]?.field, errors },
      });
    }
    const code = PROBLEM_BY_FRAMEWORK_CODE[error.code] ?? (error.statusCode === 400 ? 'malformed_body' : undefined);
    if (code) return sendProblem(reply, code);
    if (error instanceof DatabaseFailure && error.kind !== 'fault') {
      return sendProblem(reply, 'database_unreachable', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'a request met a fault');
    return sendProblem(reply, 'internal_error');
  });
}

interface FieldError {
  readonly field: string;
  readonly detail: string;
}

/** Names the field as the client sent it: `seats`, `leaseId`; the body itself is `body`. */
function fieldErrors(
  violations: NonNullable<FastifyError['validation']>,
  context: FastifyError['validationContext'],
): FieldError[] {
  return violations.map(({ instancePath, params, message, keyword }) => {
    const missing = keyword === 'required' ? String(params.missingProperty) : '';
    const path = [...instancePath.split('/').filter(Boolean), ...(missing ? [missing] : [])].join('.');
    const detail = missing ? 'is missing' : (message ?? 'is not valid');
    return { field: path || (context ?? 'body'), detail };
  });
}
