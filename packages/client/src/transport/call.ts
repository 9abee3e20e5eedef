/** One request of the HTTP or session contract. */
export interface ClientCall {
  readonly kind: 'checkout' | 'heartbeat' | 'release' | 'status' | 'keys' | 'registration' | 'presence';
  readonly method: 'PUT' | 'POST' | 'DELETE' | 'GET';
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>> | undefined;
  /** Requests for status, keys and registration carry no bearer token. */
  readonly anonymous?: boolean;
  /** Subject of the request, copied to `ResponseRecord`. */
  readonly leaseId?: string | undefined;
  readonly product?: string | undefined;
  readonly feature?: string | undefined;
  readonly seats?: number | undefined;
}

/** A response or a failed request. */
export interface ResponseRecord {
  readonly kind: ClientCall['kind'];
  readonly method: ClientCall['method'];
  /** URL of the request, or of the session that carried it. */
  readonly url: string;
  readonly leaseId?: string | undefined;
  readonly product?: string | undefined;
  readonly feature?: string | undefined;
  readonly seats?: number | undefined;
  /** Time of sending by the wall clock, in milliseconds since 1970. */
  readonly at: number;
  /** Time of sending, and of the complete response or the failure, on the monotonic clock. */
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  readonly durationMs: number;
  /** HTTP status; undefined when the request failed. */
  readonly status?: number | undefined;
  /** Error of a failed request. */
  readonly error?: string | undefined;
  /** Parsed JSON body; undefined when it is empty or not JSON. */
  readonly body?: unknown;
}

export interface CallResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfterMs: number | undefined;
  /** `Date` header in milliseconds since 1970, with a resolution of one second; undefined when absent. */
  readonly serverDateMs: number | undefined;
  readonly sentAtMs: number;
}

export type TransportResult = CallResponse | { readonly kind: 'no_response'; readonly reason: string };

export interface SendTerms {
  readonly timeoutMs: number;
  readonly stop: AbortSignal;
  /** The pending request does not keep the process alive, if the transport supports that. */
  readonly background: boolean;
}

/** Sends a request to one address. Never rejects. */
export interface Transport {
  send(call: ClientCall, address: string, terms: SendTerms): Promise<TransportResult>;
}
