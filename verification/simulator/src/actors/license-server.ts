import type { LeaseCalls } from '@evergrant/server/granting/lease-calls';
import type { GrantChecker } from '../checkers/grant-checker';
import type { Violations } from '../checkers/violations';
import type { ImportedTerms } from '../database/tables';
import type { Host } from '../topology/host';
import type { HttpAnswer, HttpCall } from './http';
import { assembleServer, type ServerParts, type ServerPartsOptions, startServer } from './server-parts';

export interface LicenseServerOptions extends ServerPartsOptions {
  readonly grantChecker: GrantChecker;
  readonly violations: Violations;
}

type CheckoutCall = Parameters<LeaseCalls['checkout']>[0];
type TokenCall = Parameters<LeaseCalls['heartbeat']>[0];
type ReleaseCall = Parameters<LeaseCalls['release']>[0];
type Reply = Awaited<ReturnType<LeaseCalls['checkout']>>;

const CALLER = { name: 'rooms', scopes: ['lease' as const] };
const ADMINISTRATOR = { name: 'operator', scopes: ['admin' as const] };

/** One license server: the product's background jobs and lease calls over simulated ports. */
export class SimulatedLicenseServer {
  readonly host: Host;
  readonly region: string;
  readonly #options: LicenseServerOptions;
  #parts: ServerParts;

  constructor(options: LicenseServerOptions) {
    this.host = options.host;
    this.region = options.region;
    this.#options = options;
    this.#parts = assembleServer(options);
    startServer(this.#parts);
  }

  /** Restarts the process after a crash; its memory is lost. */
  start(): void {
    this.host.start();
    this.#parts = assembleServer(this.#options);
    startServer(this.#parts);
  }

  get role(): ServerParts['role'] {
    return this.#parts.role;
  }

  /** Never rejects: an error that the product throws is a violation. */
  async handle(call: HttpCall): Promise<HttpAnswer> {
    const arrivedAtMs = this.#options.grantChecker.nowMs;
    try {
      return await this.#handle(call, arrivedAtMs);
    } catch (failure) {
      const { violations } = this.#options;
      violations.record('internal-error', failure instanceof Error ? failure.message : String(failure));
      return { status: 500, body: { code: 'internal_error' } };
    }
  }

  async #handle(call: HttpCall, arrivedAtMs: number): Promise<HttpAnswer> {
    const { kind, leaseId = '', body = {} } = call;
    const { calls } = this.#parts;
    const answered = { kind, leaseId, body, arrivedAtMs };
    switch (kind) {
      case 'livez':
        return { status: 200, body: { status: 'ok' } };
      case 'status':
        return this.#status();
      case 'checkout':
        return this.#answer(answered, await calls.checkout({ leaseId, ...body } as CheckoutCall, CALLER));
      case 'heartbeat':
        return this.#answer(answered, await calls.heartbeat({ leaseId, ...body } as TokenCall, CALLER));
      case 'import':
        return this.#parts.imports.import({ poolId: Number(body.poolId), terms: body.terms as ImportedTerms });
      case 'take-back':
        return this.#answer(answered, await calls.release({ leaseId, ...body } as ReleaseCall, ADMINISTRATOR));
      case 'release':
        return this.#answer(answered, await calls.release({ leaseId, ...body } as TokenCall, CALLER));
    }
  }

  #status(): HttpAnswer {
    const { role } = this.#parts;
    const granting = role.verdict().kind === 'granting';
    return { status: 200, body: { granting, region: this.region, epoch: role.newestEpoch?.epoch ?? 0 } };
  }

  #answer(call: HttpCall & { readonly arrivedAtMs: number }, reply: Reply): HttpAnswer {
    const { status, retryAfterSeconds } = reply;
    const body = (reply.body ?? {}) as Readonly<Record<string, unknown>>;
    this.#options.grantChecker.answered({ call, status, body, region: this.region, server: this.host.name });
    return { status, body, retryAfterMs: retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1_000 };
  }
}
