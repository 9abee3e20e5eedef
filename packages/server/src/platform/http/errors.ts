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
import type { HttpReply } from './reply';

const RETRY_AFTER_SECONDS = 1;

const PROBLEM_BY_FASTIFY_CODE: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_BAD_URL: 'malformed_url',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_body',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_body',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
};

/** Answers every error with a problem document, including Fastify's own. An internal error exposes no details. */
export function answerErrors(app: FastifyInstance, log: Logger): void {
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, 'not_found'));
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error.validation) return sendReply(reply, invalidReply(fieldErrors(error.validation, error.validationContext)));
    if (isRefusal(error)) return sendFastifyRefusal(reply, error);
    return sendReply(reply, faultReply(error, log, { op: `${request.method} ${request.routeOptions.url}` }));
  });
}

/** The answer to an error that the request did not cause. Details of an internal error are logged, not returned. */
export function faultReply(error: unknown, log: Logger, { op }: { op: string }): HttpReply {
  if (error instanceof DatabaseFailure && error.kind !== 'fault') {
    return problemReply('database_unreachable', { retryAfterSeconds: RETRY_AFTER_SECONDS });
  }
  log.error({ err: error, op }, 'a request failed with an internal error');
  return problemReply('internal_error');
}

/** Answers errors that the router raises before it chooses a route. The app's hooks have not run at that point. */
export function answerRouterError(log: Logger) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    if (isRefusal(error)) {
      sendFastifyRefusal(reply, error);
      return;
    }
    log.error({ err: error, method: request.method }, 'the router failed with an internal error');
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

/** True when Fastify blames the request. */
function isRefusal({ statusCode = 500 }: FastifyError): boolean {
  return statusCode >= 400 && statusCode < 500;
}

/** Fastify's 400s without a specific code all concern the body. */
function sendFastifyRefusal(reply: FastifyReply, { code, statusCode = 400 }: FastifyError): FastifyReply {
  const problemCode = PROBLEM_BY_FASTIFY_CODE[code] ?? (statusCode === 400 ? 'malformed_body' : undefined);
  return problemCode ? sendProblem(reply, problemCode) : sendStatusProblem(reply, statusCode);
}

export interface FieldError {
  readonly field: string;
  readonly detail: string;
}

/** The answer to an invalid request. It lists every validation error. */
export function invalidReply(errors: readonly FieldError[]): HttpReply {
  return problemReply('invalid_request', {
    detail: errors.map(({ field, detail }) => `${field} ${detail}`).join('; '),
    members: { field: errors[0]?.field, errors },
  });
}

/** Names each field as the client sent it, for example `seats`. The body itself is named `body`. */
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
