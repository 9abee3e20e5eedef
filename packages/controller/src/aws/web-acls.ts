import { AssociateWebACLCommand, GetWebACLForResourceCommand, type WAFV2Client } from '@aws-sdk/client-wafv2';
import { OperatingError } from '@evergrant/core/operating-error';
import { otherRegion, type Region } from '@evergrant/core/regions';
import type { AclView } from '../core/phase-views';
import type { RouterPort } from '../ports';
import { CallFailure, call } from '../probes/http-call';
import type { RegionResourceRegistry } from './region-resources';
import { awsCall, isFault } from './sdk';

export interface WebAclsOptions {
  readonly clients: Readonly<Record<Region, WAFV2Client>>;
  readonly introductions: RegionResourceRegistry;
  /** Each region's own address, for a look from outside. */
  readonly addresses: Readonly<Record<Region, string>>;
  readonly timeoutMs: number;
}

/**
 * A load balancer and the web ACL associated with it: *serve* lets calls in, *fence* answers 503 and where to go.
 * Associating replaces whatever was there. Nothing is ever disassociated: a load balancer without a web ACL is open.
 */
export class WebAcls implements RouterPort {
  readonly #options: WebAclsOptions;

  constructor(options: WebAclsOptions) {
    this.#options = options;
  }

  async acl(region: Region): Promise<AclView> {
    try {
      const { loadBalancerArn, fenceAclArn } = await this.#options.introductions.of(region);
      const get = new GetWebACLForResourceCommand({ ResourceArn: loadBalancerArn });
      const { WebACL: found } = await awsCall(`${region}'s web ACL`, this.#options.clients[region].send(get));
      // None at all, or somebody else's, is as good as open: it is no fence.
      if (found?.ARN !== fenceAclArn) return { kind: 'serve' };
      return (await this.#letsCallsIn(region)) ? { kind: 'serve' } : fenced(region);
    } catch (failure) {
      if (!(failure instanceof OperatingError)) throw failure;
      if (isFault(failure, 'WAFNonexistentItemException')) this.#options.introductions.forget(region);
      return { kind: 'unreachable', reason: failure.message };
    }
  }

  /** The fence of a region names the other one: there are two. */
  async fence(region: Region, activeRegion: Region): Promise<void> {
    if (activeRegion !== otherRegion(region)) throw new Error(`the fence of ${region} cannot name ${activeRegion}`);
    const { fenceAclArn } = await this.#options.introductions.of(region);
    await this.#associate(region, fenceAclArn);
  }

  async serve(region: Region): Promise<void> {
    const { serveAclArn } = await this.#options.introductions.of(region);
    await this.#associate(region, serveAclArn);
  }

  async #associate(region: Region, aclArn: string): Promise<void> {
    const { loadBalancerArn } = await this.#options.introductions.of(region);
    const associate = new AssociateWebACLCommand({ ResourceArn: loadBalancerArn, WebACLArn: aclArn });
    await awsCall(`${region}'s web ACL`, this.#options.clients[region].send(associate));
  }

  /**
   * An association takes seconds to minutes to arrive at the load balancer. A call that only the fence refuses tells:
   * without a token a license server answers 401. Who does not answer lets nobody in either.
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
