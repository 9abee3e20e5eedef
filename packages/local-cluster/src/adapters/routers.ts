import type { AclView } from '@evergrant/controller/core/views';
import type { RouterPort } from '@evergrant/controller/ports';
import { CallFailure, call } from '@evergrant/controller/probes/http-call';
import { OperatingError } from '@evergrant/core/operating-error';
import type { Region } from '@evergrant/core/regions';

export interface RoutersOptions {
  readonly routers: Readonly<Record<Region, string>>;
  /** The public address of each region. A fenced router names it in its refusals. */
  readonly addresses: Readonly<Record<Region, string>>;
  readonly adminToken: string;
  readonly timeoutMs: number;
}

/** Reads and changes the web ACLs of the regions' routers. */
export class Routers implements RouterPort {
  readonly #options: RoutersOptions;

  constructor(options: RoutersOptions) {
    this.#options = options;
  }

  async acl(region: Region): Promise<AclView> {
    const { routers, adminToken, timeoutMs } = this.#options;
    try {
      const url = `${routers[region]}/_router/acl`;
      const { status, json } = await call({ method: 'GET', url, token: adminToken, timeoutMs });
      if (status !== 200) return { kind: 'unreachable', reason: `${region}'s router returned ${status}` };
      if (json?.acl === 'serve') return { kind: 'serve' };
      if (json?.acl === 'fence') return { kind: 'fence', activeRegion: regionOf(json.activeRegion) };
      return { kind: 'unreachable', reason: `${region}'s router returned an unknown ACL` };
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
      return { kind: 'unreachable', reason: `${region}'s router: ${failure.message}` };
    }
  }

  async fence(region: Region, activeRegion: Region): Promise<void> {
    const activeAddress = this.#options.addresses[activeRegion];
    await this.#put(region, { acl: 'fence', activeRegion, activeAddress });
  }

  async serve(region: Region): Promise<void> {
    const activeAddress = this.#options.addresses[region];
    await this.#put(region, { acl: 'serve', activeRegion: region, activeAddress });
  }

  async #put(region: Region, body: Record<string, string>): Promise<void> {
    const { routers, adminToken, timeoutMs } = this.#options;
    const failed = (message: string, cause?: unknown): OperatingError =>
      new OperatingError({
        code: 'router_unreachable',
        message: `${region}'s router: ${message}`,
        retryable: true,
        cause,
      });
    try {
      const url = `${routers[region]}/_router/acl`;
      const { status } = await call({ method: 'PUT', url, token: adminToken, body, timeoutMs });
      if (status >= 300) throw failed(`returned ${status}`);
    } catch (failure) {
      if (failure instanceof CallFailure) throw failed(failure.message, failure);
      throw failure;
    }
  }
}

function regionOf(value: unknown): Region | undefined {
  return value === 'oregon' || value === 'virginia' ? value : undefined;
}
