import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { DatabaseFailure } from '../database-failure';
import {
  PROBLEM_TYPE,
  type ProblemCode,
  problemReply,
  sendProblem,
  sendReply,
  sendStatusProblem,
  statusProblem,
} from './problems';
import type { Reply } from './reply';

const RETRY_AFTER_SECONDS = 1;

const PROBLEM_BY_FRAMEWORK_CODE: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_BAD_URL: 'malformed_url',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_body',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_body',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
};

/** Every error becomes a problem document, the framework's own included; a fault tells the caller nothing. */
export function answerErrors(app: FastifyInstance, log: Logger): void {
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, 'not_found'));
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error.validation) return sendReply(reply, invalidReply(fieldErrors(error.validation, error.validationContext)));
    if (isRefusal(error)) return sendRefusalOfFramework(reply, error);
    return sendReply(reply, faultReply(error, log, { op: `${request.method} ${request.routeOptions.url}` }));
  });
}

/** What went wrong on our side; the caller is told nothing of a fault. */
export function faultReply(error: unknown, log: Logger, { op }: { op: string }): Reply {
  if (error instanceof DatabaseFailure && error.kind !== 'fault') {
    return problemReply('database_unreachable', { retryAfterSeconds: RETRY_AFTER_SECONDS });
  }
  log.error({ err: error, op }, 'a request met a fault');
  return problemReply('internal_error');
}

/** What the router refuses before any route is chosen; none of the app's hooks has run then. */
export function answerRouterError(log: Logger) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    if (isRefusal(error)) {
      sendRefusalOfFramework(reply, error);
      return;
    }
    log.error({ err: error, method: request.method }, 'the router met a fault');
    sendProblem(reply, 'internal_error');
  };
}

const STATUS_BY_PARSER_CODE: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/** What is no HTTP request, or none in time: there is only a socket to answer on, and it is closed. */
export function answerParserError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const status = STATUS_BY_PARSER_CODE[error.code ?? ''] ?? 400;
  const body = JSON.stringify(statusProblem(status));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ].join('\r\n');
  if (socket.writable) socket.write(`${head}\r\n\r\n${body}`);
  socket.destroy(error);
}

/** Whether it is the request that is at fault, by the framework's word. */
function isRefusal({ statusCode = 500 }: FastifyError): boolean {
  return statusCode >= 400 && statusCode < 500;
}

/** The framework's 400s without a code of ours are all about the body. */
function sendRefusalOfFramework(reply: FastifyReply, { code, statusCode = 400 }: FastifyError): FastifyReply {
  const problemCode = PROBLEM_BY_FRAMEWORK_CODE[code] ?? (statusCode === 400 ? 'malformed_body' : undefined);
  return problemCode ? sendProblem(reply, problemCode) : sendStatusProblem(reply, statusCode);
}

export interface FieldError {
  readonly field: string;
  readonly detail: string;
}

/** The answer to a request that is not valid: names every mistake. */
export function invalidReply(errors: readonly FieldError[]): Reply {
  return problemReply('invalid_request', {
    detail: errors.map(({ field, detail }) => `${field} ${detail}`).join('; '),
    members: { field: errors[0]?.field, errors },
  });
}

/** Names the field as the client sent it: `seats`, `leaseId`; the body itself is `body`. */
export function fieldErrors(
  violations: NonNullable<FastifyError['validation']>,
  context: string | undefined,
): FieldError[] {
  return violations.map(({ instancePath, params, message, keyword }) => {
    const missing = keyword === 'required' ? String(params.missingProperty) : '';
    const path = [...instancePath.split('/').filter(Boolean), ...(missing ? [missing] : [])].join('.');
    const detail = missing ? 'is missing' : (message ?? 'is not valid');
    return { field: path || (context ?? 'body'), detail };
  });
}
