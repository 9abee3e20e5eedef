/** An HTTP call of the outside contract, as it crosses the simulated network. */
export interface HttpCall {
  readonly kind: 'checkout' | 'heartbeat' | 'release' | 'take-back' | 'import' | 'status' | 'livez';
  readonly leaseId?: string | undefined;
  readonly body?: Readonly<Record<string, unknown>> | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfterMs?: number | undefined;
}

export const REGION_ADDRESSES = { oregon: 'http://oregon.test', virginia: 'http://virginia.test' } as const;
export const EDGE_ADDRESS = 'http://edge.test';
