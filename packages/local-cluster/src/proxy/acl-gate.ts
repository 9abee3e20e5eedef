import { otherRegion, type Region } from '@evergrant/core/regions';
import type { Logger } from 'pino';
import { type Acl, AclFile, parseAcl } from './acl';
import { jsonBody } from './admin';
import { activeRegionMembers, invalid, jsonReply, type Members, problem } from './problems';
import type { Reply, RequestContext } from './request-context';

export interface AclGateOptions {
  readonly region: Region;
  readonly aclFile: string;
  /** In force until an ACL is set for the first time. */
  readonly aclDefault: Acl['acl'];
  readonly regionAddresses: Readonly<Record<Region, string>>;
  readonly logger: Logger;
}

/** Holds the web ACL of one region: reads it at start, changes it on request, and composes the fenced answer. */
export class AclGate {
  readonly #options: AclGateOptions;
  readonly #file: AclFile;
  #acl: Acl;

  constructor(options: AclGateOptions) {
    this.#options = options;
    this.#file = new AclFile(options.aclFile, options.regionAddresses);
    this.#acl = this.#initialAcl();
  }

  get current(): Acl {
    return this.#acl;
  }

  get isFenced(): boolean {
    return this.#acl.acl === 'fence';
  }

  /** Problem members that name the active region, as the ACL last recorded it. */
  get activeRegionMembers(): Members {
    return activeRegionMembers(this.#acl.activeRegion, this.#acl.activeAddress);
  }

  /** Replaces the ACL by the one in the request's body. The file is written before the reply. */
  set(request: RequestContext): Reply {
    const body = jsonBody(request);
    if (!body) return invalid('', 'The body must be a JSON object.');
    const parsed = parseAcl(body, this.#options.regionAddresses);
    if (parsed.kind === 'invalid') return invalid(parsed.field, parsed.reason);
    const before = this.#acl;
    this.#file.write(parsed.acl);
    this.#acl = parsed.acl;
    if (before.acl !== this.#acl.acl || before.activeRegion !== this.#acl.activeRegion) this.#logChange();
    return jsonReply(200, this.#acl);
  }

  fencedReply(): Reply {
    const { activeRegion } = this.#acl;
    const { region } = this.#options;
    const isElsewhere = activeRegion !== null && activeRegion !== region;
    return problem({
      status: 503,
      code: 'not_granting',
      title: 'This region does not grant licenses',
      detail: isElsewhere ? `The region is fenced. The active region is ${activeRegion}.` : 'The region is fenced.',
      retryAfterSeconds: 1,
      members: { reason: 'fenced', region, ...this.activeRegionMembers },
    });
  }

  #initialAcl(): Acl {
    const { logger, region, aclDefault, aclFile, regionAddresses } = this.#options;
    const reading = this.#file.read();
    switch (reading.kind) {
      case 'read':
        return reading.acl;
      case 'missing': {
        // A router whose default is `fence` belongs to the standby region, so the other region is the active one.
        const activeRegion = aclDefault === 'serve' ? region : otherRegion(region);
        return { acl: aclDefault, activeRegion, activeAddress: regionAddresses[activeRegion] };
      }
      case 'unreadable':
        // Missing evidence denies: without a readable ACL the region stays fenced.
        logger.error({ announce: `${region} stays fenced: ${aclFile} cannot be read`, reason: reading.reason });
        return { acl: 'fence', activeRegion: null, activeAddress: null };
    }
  }

  #logChange(): void {
    const { logger, region } = this.#options;
    const { acl, activeRegion } = this.#acl;
    const fenced = activeRegion ? `${region} is fenced; the active region is ${activeRegion}` : `${region} is fenced`;
    logger.warn({ acl, activeRegion, announce: acl === 'serve' ? `${region} serves` : fenced });
  }
}
