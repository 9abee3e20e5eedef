import type { EdgeView, OutsideView } from '@evergrant/controller/core/views';
import type { EdgePort } from '@evergrant/controller/ports';
import { CallFailure, call } from '@evergrant/controller/probes/http-call';
import { publicStatus } from '@evergrant/controller/probes/public-status';
import { OperatingError } from '@evergrant/core/operating-error';
import { REGIONS, type Region } from '@evergrant/core/regions';

export interface PublicAddressOptions {
  readonly edge: string;
  readonly adminToken: string;
  readonly timeoutMs: number;
}

/** The edge: the target region of the public address, and the status that a customer sees there. */
export class PublicAddress implements EdgePort {
  readonly #options: PublicAddressOptions;

  constructor(options: PublicAddressOptions) {
    this.#options = options;
  }

  async target(): Promise<EdgeView> {
    const { edge, adminToken, timeoutMs } = this.#options;
    try {
      const { status, json } = await call({ method: 'GET', url: `${edge}/_edge/target`, token: adminToken, timeoutMs });
      const region = REGIONS.find((candidate) => candidate === json?.region);
      if (status !== 200 || region === undefined) return { kind: 'unreachable', reason: `the edge returned ${status}` };
      return { kind: 'points_to', region };
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
      return { kind: 'unreachable', reason: `the edge: ${failure.message}` };
    }
  }

  async pointTo(region: Region): Promise<void> {
    const { edge, adminToken, timeoutMs } = this.#options;
    const failed = (message: string, cause?: unknown): OperatingError =>
      new OperatingError({ code: 'edge_unreachable', message: `the edge: ${message}`, retryable: true, cause });
    try {
      const url = `${edge}/_edge/target`;
      const { status } = await call({ method: 'PUT', url, token: adminToken, body: { region }, timeoutMs });
      if (status >= 300) throw failed(`returned ${status}`);
    } catch (failure) {
      if (failure instanceof CallFailure) throw failed(failure.message, failure);
      throw failure;
    }
  }

  outside(): Promise<OutsideView> {
    const { edge, timeoutMs } = this.#options;
    return publicStatus(edge, { timeoutMs });
  }
}
