import { AssociateWebACLCommand, GetWebACLForResourceCommand, type WAFV2Client } from '@aws-sdk/client-wafv2';
import { OperatingError } from '@evergrant/core/operating-error';
import { otherRegion, type Region } from '@evergrant/core/regions';
import type { AclView } from '../core/views';
import type { RouterPort } from '../ports';
import { CallFailure, call } from '../probes/http-call';
import type { RegionResourceRegistry } from './region-resources';
import { awsCall, isFault } from './sdk';

export interface WebAclsOptions {
  readonly clients: Readonly<Record<Region, WAFV2Client>>;
  readonly resources: RegionResourceRegistry;
  /** Each region's own address, for a probe from outside. */
  readonly addresses: Readonly<Record<Region, string>>;
  readonly timeoutMs: number;
}

/**
 * A load balancer and its associated web ACL: *serve* lets calls in, *fence* answers 503 with the active region. An
 * association replaces the previous one. None is ever removed, because a load balancer without a web ACL is open.
 */
export class WebAcls implements RouterPort {
  readonly #options: WebAclsOptions;

  constructor(options: WebAclsOptions) {
    this.#options = options;
  }

  async acl(region: Region): Promise<AclView> {
    try {
      const { loadBalancerArn, fenceAclArn } = await this.#options.resources.of(region);
      const get = new GetWebACLForResourceCommand({ ResourceArn: loadBalancerArn });
      const { WebACL: found } = await awsCall(`${region}'s web ACL`, this.#options.clients[region].send(get));
      // No web ACL, or another one, is no fence: the region counts as open.
      if (found?.ARN !== fenceAclArn) return { kind: 'serve' };
      return (await this.#letsCallsIn(region)) ? { kind: 'serve' } : fenced(region);
    } catch (failure) {
      if (!(failure instanceof OperatingError)) throw failure;
      if (isFault(failure, 'WAFNonexistentItemException')) this.#options.resources.forget(region);
      return { kind: 'unreachable', reason: failure.message };
    }
  }

  /** There are two regions, so the fence of one can only name the other. */
  async fence(region: Region, activeRegion: Region): Promise<void> {
    if (activeRegion !== otherRegion(region)) throw new Error(`the fence of ${region} cannot name ${activeRegion}`);
    const { fenceAclArn } = await this.#options.resources.of(region);
    await this.#associate(region, fenceAclArn);
  }

  async serve(region: Region): Promise<void> {
    const { serveAclArn } = await this.#options.resources.of(region);
    await this.#associate(region, serveAclArn);
  }

  async #associate(region: Region, aclArn: string): Promise<void> {
    const { loadBalancerArn } = await this.#options.resources.of(region);
    const associate = new AssociateWebACLCommand({ ResourceArn: loadBalancerArn, WebACLArn: aclArn });
    await awsCall(`${region}'s web ACL`, this.#options.clients[region].send(associate));
  }

  /**
   * An association takes seconds to minutes to take effect. A call without a token finds out: a license server answers 401,
   * and only the fence answers 5xx. A load balancer that does not answer lets no call in either.
   */
  async #letsCallsIn(region: Region): Promise<boolean> {
    const { addresses, timeoutMs } = this.#options;
    try {
      const { status } = await call({ method: 'GET', url: `${addresses[region]}/v1/pools`, timeoutMs });
      return status < 500;
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
      return false;
    }
  }
}

function fenced(region: Region): AclView {
  return { kind: 'fence', activeRegion: otherRegion(region) };
}
