import type { DatabaseServiceView } from '@evergrant/controller/core/views';
import type { DatabaseServicePort } from '@evergrant/controller/ports';
import { CallFailure, call } from '@evergrant/controller/probes/http-call';
import { OperatingError } from '@evergrant/core/operating-error';
import type { Region } from '@evergrant/core/regions';

export interface DatabaseServiceOptions {
  /** The world's control API, which forwards operations to the database supervisor. */
  readonly worldApi: string;
  readonly adminToken: string;
  readonly timeoutMs: number;
}

/** The database supervisor, which replaces RDS. It accepts operations at once and executes them in the background. */
export class DatabaseService implements DatabaseServicePort {
  readonly #options: DatabaseServiceOptions;

  constructor(options: DatabaseServiceOptions) {
    this.#options = options;
  }

  async view(region: Region): Promise<DatabaseServiceView> {
    const { worldApi, adminToken, timeoutMs } = this.#options;
    try {
      const url = `${worldApi}/databases/${region}`;
      const { status, json } = await call({ method: 'GET', url, token: adminToken, timeoutMs });
      if (status !== 200) return { kind: 'unreachable', reason: `the database service returned ${status}` };
      return viewOf(json?.state, json?.because);
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
      return { kind: 'unreachable', reason: `the database service: ${failure.message}` };
    }
  }

  archive(region: Region): Promise<void> {
    return this.#order(region, 'keep');
  }

  follow(region: Region): Promise<void> {
    return this.#order(region, 'follow');
  }

  async #order(region: Region, order: 'keep' | 'follow'): Promise<void> {
    const { worldApi, adminToken, timeoutMs } = this.#options;
    const failed = (message: string, cause?: unknown): OperatingError =>
      new OperatingError({
        code: 'database_service_failed',
        message: `${order} ${region}: ${message}`,
        retryable: true,
        cause,
      });
    try {
      const url = `${worldApi}/databases/${region}/${order}`;
      const { status, json } = await call({ method: 'POST', url, token: adminToken, timeoutMs });
      if (status >= 300) throw failed(`returned ${status} ${String(json?.code ?? '')}`);
    } catch (failure) {
      if (failure instanceof CallFailure) throw failed(failure.message, failure);
      throw failure;
    }
  }
}

function viewOf(state: unknown, reason: unknown): DatabaseServiceView {
  switch (state) {
    case 'kept':
      return { kind: 'archived' };
    case 'running':
    case 'building':
    case 'following':
      return { kind: state };
    case 'failed':
      return { kind: 'failed', reason: typeof reason === 'string' ? reason : 'the last operation failed' };
    default:
      return { kind: 'unreachable', reason: `the database service returned an unknown state: ${String(state)}` };
  }
}
