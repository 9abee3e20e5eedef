import { readFileSync } from 'node:fs';
import type { Region } from '@evergrant/core/regions';
import { REGIONS } from '../layout';
import { writeFileAtomically } from '../world/files';

/**
 * The web ACL of a region: `serve` passes requests on, `fence` answers each with the address of the active region (phase
 * "fence" of a failover). It is stored in a file, so a router that restarts after days is still fenced.
 */
export interface Acl {
  readonly acl: 'serve' | 'fence';
  /** The active region, as recorded by the last change of this ACL. */
  readonly activeRegion: Region | null;
  readonly activeAddress: string | null;
}

export type AclReadResult =
  | { readonly kind: 'read'; readonly acl: Acl }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreadable'; readonly reason: string };

export type AclParseResult =
  | { readonly kind: 'parsed'; readonly acl: Acl }
  | { readonly kind: 'invalid'; readonly field: string; readonly reason: string };

const invalid = (field: string, reason: string): AclParseResult => ({ kind: 'invalid', field, reason });

const isRegion = (value: unknown): value is Region => REGIONS.some((region) => region === value);

/** Parses an ACL from JSON. An omitted address defaults to the active region's address. */
export function parseAcl(value: Record<string, unknown>, addresses: Readonly<Record<Region, string>>): AclParseResult {
  const { acl, activeRegion = null, activeAddress } = value;
  if (acl !== 'serve' && acl !== 'fence') return invalid('acl', 'acl must be serve or fence.');
  if (activeRegion !== null && !isRegion(activeRegion)) {
    return invalid('activeRegion', `activeRegion must be ${REGIONS.join(' or ')}, or null.`);
  }
  const address = activeAddress ?? (activeRegion === null ? null : addresses[activeRegion]);
  if (address !== null && (typeof address !== 'string' || !URL.canParse(address))) {
    return invalid('activeAddress', 'activeAddress must be a URL or null.');
  }
  return { kind: 'parsed', acl: { acl, activeRegion, activeAddress: address } };
}

export class AclFile {
  readonly #file: string;
  readonly #addresses: Readonly<Record<Region, string>>;

  constructor(file: string, addresses: Readonly<Record<Region, string>>) {
    this.#file = file;
    this.#addresses = addresses;
  }

  read(): AclReadResult {
    try {
      const value = JSON.parse(readFileSync(this.#file, 'utf8')) as Record<string, unknown>;
      const parsed = parseAcl(value, this.#addresses);
      return parsed.kind === 'parsed'
        ? { kind: 'read', acl: parsed.acl }
        : { kind: 'unreadable', reason: parsed.reason };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'missing' };
      return { kind: 'unreadable', reason: (error as Error).message };
    }
  }

  /** The content is on disk when this returns. */
  write(acl: Acl): void {
    writeFileAtomically(this.#file, `${JSON.stringify(acl)}\n`);
  }
}
