import { readFileSync } from 'node:fs';
import type { Region } from '@evergrant/core/regions';
import { REGIONS } from '../layout';
import { writeFileAtomically } from '../world/files';

/**
 * A region's web ACL: `serve` lets requests through, `fence` answers every one of them with where to go instead
 * (the architecture's phase "Fence"). It is kept in a file, so a router that comes back after days is as fenced as the
 * one that went.
 */
export interface Acl {
  readonly acl: 'serve' | 'fence';
  /** Where licenses are granted now, as the last one who set this knew it. */
  readonly activeRegion: Region | null;
  readonly activeAddress: string | null;
}

export type AclReading =
  | { readonly kind: 'read'; readonly acl: Acl }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreadable'; readonly because: string };

export type AclParsing =
  | { readonly kind: 'parsed'; readonly acl: Acl }
  | { readonly kind: 'invalid'; readonly field: string; readonly because: string };

const invalid = (field: string, because: string): AclParsing => ({ kind: 'invalid', field, because });

const isRegion = (value: unknown): value is Region => REGIONS.some((region) => region === value);

/** Reads an ACL from JSON. An address that is left out is the active region's own. */
export function parseAcl(value: Record<string, unknown>, addresses: Readonly<Record<Region, string>>): AclParsing {
  const { acl, activeRegion = null, activeAddress } = value;
  if (acl !== 'serve' && acl !== 'fence') return invalid('acl', 'acl is serve or fence.');
  if (activeRegion !== null && !isRegion(activeRegion)) {
    return invalid('activeRegion', `activeRegion is ${REGIONS.join(' or ')}, or null.`);
  }
  const address = activeAddress ?? (activeRegion === null ? null : addresses[activeRegion]);
  if (address !== null && typeof address !== 'string')
    return invalid('activeAddress', 'activeAddress is a URL or null.');
  if (address !== null && !URL.canParse(address)) return invalid('activeAddress', 'activeAddress is not a URL.');
  return { kind: 'parsed', acl: { acl, activeRegion, activeAddress: address } };
}

export class AclFile {
  readonly #file: string;
  readonly #addresses: Readonly<Record<Region, string>>;

  constructor(file: string, addresses: Readonly<Record<Region, string>>) {
    this.#file = file;
    this.#addresses = addresses;
  }

  read(): AclReading {
    try {
      const value = JSON.parse(readFileSync(this.#file, 'utf8')) as Record<string, unknown>;
      const parsing = parseAcl(value, this.#addresses);
      return parsing.kind === 'parsed'
        ? { kind: 'read', acl: parsing.acl }
        : { kind: 'unreadable', because: parsing.because };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'missing' };
      return { kind: 'unreadable', because: (error as Error).message };
    }
  }

  /** On disk when it returns. */
  write(acl: Acl): void {
    writeFileAtomically(this.#file, `${JSON.stringify(acl)}\n`);
  }
}
