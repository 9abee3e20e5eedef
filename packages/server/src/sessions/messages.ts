import { type Static, type TSchema, Type } from '@sinclair/typebox';
import type { FastifyError } from 'fastify';
import { CheckoutBody, LeaseParams, ReleaseBody, TokenBody } from '../granting/schemas';
import { fieldErrors, invalidReply } from '../platform/http/errors';
import { problemReply } from '../platform/http/problems';
import type { HttpReply } from '../platform/http/reply';

/** The messages of a session, one JSON object each. docs/sessions.md documents them. */
export const SUBPROTOCOL = 'evergrant.v1';

const MessageId = Type.Union([Type.String({ minLength: 1, maxLength: 100 }), Type.Integer()], {
  description: 'Chosen by the client; the answer carries it',
});

export const CheckoutMessage = Type.Composite([
  Type.Object({ id: MessageId, op: Type.Literal('checkout') }),
  LeaseParams,
  CheckoutBody,
]);

/** Without `leaseId` it renews every lease of the session. */
export const HeartbeatMessage = Type.Composite([
  Type.Object({ id: MessageId, op: Type.Literal('heartbeat') }),
  Type.Partial(LeaseParams),
  TokenBody,
]);

export const ReleaseMessage = Type.Composite([
  Type.Object({ id: MessageId, op: Type.Literal('release') }),
  LeaseParams,
  ReleaseBody,
]);

const SCHEMAS = { checkout: CheckoutMessage, heartbeat: HeartbeatMessage, release: ReleaseMessage } as const;

type Op = keyof typeof SCHEMAS;

export type SessionMessage =
  | Static<typeof CheckoutMessage>
  | Static<typeof HeartbeatMessage>
  | Static<typeof ReleaseMessage>;

export type Id = Static<typeof MessageId>;

export interface SessionAnswer {
  /** Null when the message had none that could be read. */
  readonly id: Id | null;
  readonly status: number;
  readonly body?: object;
  /** `Retry-After` in seconds. */
  readonly retryAfter?: number;
}

export type ServerEvent =
  | QueueEvent
  | {
      readonly event: 'hello';
      readonly server: string;
      readonly region: string;
      readonly epoch: number | null;
      /** A connection without traffic from the server for twice this time is dead. */
      readonly pingEverySeconds: number;
      readonly leasesMax: number;
      readonly unansweredMax: number;
    }
  | {
      readonly event: 'not_granting' | 'draining';
      readonly reason: string;
      readonly activeRegion: string | null;
      readonly address: string | null;
      /** Seconds; random for each session, so that the reconnects are spread. */
      readonly retryAfter: number;
    };

/** The new answer of a queued checkout: its position (202), its seats (201), or the refusal. */
export interface QueueEvent extends Omit<SessionAnswer, 'id'> {
  readonly event: 'queue';
  readonly leaseId: string;
}

export function answerOf(id: Id | null, { status, body, retryAfterSeconds }: HttpReply): SessionAnswer {
  return {
    id,
    status,
    ...(body === undefined ? {} : { body }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfter: retryAfterSeconds }),
  };
}

export type MessageReading =
  | { readonly kind: 'message'; readonly message: SessionMessage }
  | { readonly kind: 'refused'; readonly id: Id | null; readonly reply: HttpReply };

interface Validation {
  (input: unknown): unknown;
  errors?: FastifyError['validation'] | null;
}

/** Parses and validates messages. `compile` is the framework's compiler, so HTTP bodies and messages are checked alike. */
export class MessageReader {
  readonly #validations: Readonly<Record<Op, Validation>>;

  constructor(compile: (schema: TSchema) => Validation) {
    this.#validations = {
      checkout: compile(SCHEMAS.checkout),
      heartbeat: compile(SCHEMAS.heartbeat),
      release: compile(SCHEMAS.release),
    };
  }

  read(text: string): MessageReading {
    const parsed = parse(text);
    if (parsed === undefined) return refused(null, problemReply('malformed_body'));
    if (!isObject(parsed)) return refused(null, invalidReply([{ field: 'message', detail: 'must be object' }]));
    const { op } = parsed;
    const id = isId(parsed.id) ? parsed.id : null;
    if (!isOp(op)) {
      const detail = op === undefined ? 'is missing' : `must be ${Object.keys(SCHEMAS).join(', ')}`;
      return refused(id, invalidReply([{ field: 'op', detail }]));
    }
    const validation = this.#validations[op];
    if (validation(parsed)) return { kind: 'message', message: parsed as unknown as SessionMessage };
    return refused(id, invalidReply(fieldErrors(validation.errors ?? [], 'message')));
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const refused = (id: Id | null, reply: HttpReply): MessageReading => ({ kind: 'refused', id, reply });

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isId = (value: unknown): value is Id =>
  Number.isInteger(value) || (typeof value === 'string' && value.length > 0 && value.length <= 100);

const isOp = (value: unknown): value is Op => typeof value === 'string' && Object.hasOwn(SCHEMAS, value);
