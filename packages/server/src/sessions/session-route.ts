import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import { problemReply, problemResponses, sendReply } from '../platform/http/problems';
import { CheckoutMessage, HeartbeatMessage, ReleaseMessage, SUBPROTOCOL } from './messages';
import type { SessionPolicy } from './policy';
import type { Sessions } from './sessions';

interface SessionRouteOptions {
  readonly authenticate: Authenticate;
  readonly sessions: Sessions;
  readonly policy: SessionPolicy;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The response that an upgrade never uses. The session closes it. */
    unusedResponse: FastifyReply['raw'] | undefined;
  }
}

const DESCRIPTION = `Checkout, heartbeat and release over one connection. Upgrade with the subprotocol \`${SUBPROTOCOL}\`; then each message
is a JSON object \`{id, op, …}\` with the members of the same call over HTTP, and its answer is \`{id, status, body}\` with the
status and the body of HTTP (\`retryAfter\` stands for the header). A heartbeat without \`leaseId\` renews every lease of the
session. The server greets with \`{event: "hello"}\` and, before it closes a session because it does not grant any more, says
\`{event: "not_granting"}\` or \`{event: "draining"}\` with \`activeRegion\`, \`address\` and \`retryAfter\`. Leases outlive their session.`;

/** `GET /v1/session`. */
export async function sessionRoute(routes: FastifyInstance, options: SessionRouteOptions): Promise<void> {
  const { authenticate, sessions, policy } = options;
  const socketOptions = {
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: policy.messageBytesMax,
    closeTimeout: policy.closeGraceMs,
    handleProtocols: () => SUBPROTOCOL,
  };
  await routes.register(websocket, {
    options: socketOptions,
    preClose: (done: () => void) => {
      void sessions.drain().finally(done);
    },
  });
  routes.decorateRequest('unusedResponse');
  routes.route({
    method: 'GET',
    url: '/v1/session',
    exposeHeadRoute: false,
    schema: {
      tags: ['leases'],
      summary: 'Open a session (WebSocket)',
      description: DESCRIPTION,
      security: [{ bearer: [] }],
      response: {
        101: { description: 'The session is open', 'x-messages': [CheckoutMessage, HeartbeatMessage, ReleaseMessage] },
        ...problemResponses('unauthenticated', 'forbidden', 'upgrade_required', 'not_granting', 'too_many_sessions'),
      },
    },
    onRequest: [authenticate('lease'), (request, reply) => letIn(request, reply, sessions)],
    handler: (_request, reply) => sendReply(reply.header('upgrade', 'websocket'), problemReply('upgrade_required')),
    wsHandler: (socket, request) => {
      // Node ties a response to the socket, and the plugin an error listener: each would keep the whole request alive.
      request.unusedResponse?.detachSocket(request.raw.socket);
      socket.removeAllListeners('error');
      sessions.admit(socket, request);
    },
  });
}

async function letIn(request: FastifyRequest, reply: FastifyReply, sessions: Sessions): Promise<unknown> {
  if (!request.ws) return undefined;
  const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(',');
  if (!offered.some((protocol) => protocol.trim() === SUBPROTOCOL)) {
    return sendReply(reply.header('upgrade', 'websocket'), problemReply('upgrade_required'));
  }
  const refusal = sessions.refusal(request.caller);
  if (refusal) return sendReply(reply, refusal);
  request.unusedResponse = reply.raw;
  return undefined;
}
