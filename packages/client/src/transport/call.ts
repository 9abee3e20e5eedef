/** One call of the contract. */
export interface Call {
  readonly kind: 'checkout' | 'heartbeat' | 'release' | 'status' | 'keys' | 'registration' | 'presence';
  readonly method: 'PUT' | 'POST' | 'DELETE' | 'GET';
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>> | undefined;
  /** Who asks for a status, for keys or for a registration shows no bearer token. */
  readonly anonymous?: boolean;
  /** What the call is about, told to whoever watches the responses. */
  readonly leaseId?: string | undefined;
  readonly product?: string | undefined;
  readonly feature?: string | undefined;
  readonly seats?: number | undefined;
}

/** Every response, and every failure to get one, as the client saw it. */
export interface ResponseRecord {
  readonly kind: Call['kind'];
  readonly method: Call['method'];
  /** Over a session the address of the session; the call is then known by its kind and its lease. */
  readonly url: string;
  readonly leaseId?: string | undefined;
  readonly product?: string | undefined;
  readonly feature?: string | undefined;
  readonly seats?: number | undefined;
  /** When the request was sent, by the wall clock, in milliseconds since 1970. */
  readonly at: number;
  /** When it was sent and when the response was complete (or given up), on this machine's monotonic clock. */
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  readonly durationMs: number;
  /** The HTTP status; undefined when no response came. */
  readonly status?: number | undefined;
  /** Why no response came. */
  readonly error?: string | undefined;
  /** The parsed body; undefined when there was none or it was not JSON. */
  readonly body?: unknown;
}

export interface CallResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfterMs: number | undefined;
  /** The server's `Date` header in milliseconds since 1970, to the second; undefined when there was none. */
  readonly serverDateMs: number | undefined;
  readonly sentAtMs: number;
}

export type TransportResult = CallResponse | { readonly kind: 'no_response'; readonly because: string };

export interface SendTerms {
  readonly timeoutMs: number;
  readonly stop: AbortSignal;
  /** Waiting for the answer does not keep the host's process alive, as far as the transport can help it. */
  readonly background: boolean;
}

/** How a call gets to one address. Never rejects. */
export interface Transport {
  send(call: Call, address: string, terms: SendTerms): Promise<TransportResult>;
}
