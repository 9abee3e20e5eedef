import { readFileSync } from 'node:fs';
import type { Region } from '@evergrant/core/regions';
import { REGIONS } from '../layout';
import { writeFileAtomically } from '../world/files';

/** Which region the public address leads to, kept in a file: what the public DNS record is in the cloud. */
export class TargetFile {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /**
   * @returns the region last written, or the primary region when none ever was.
   * @throws when the file is there and cannot be understood: guessing would lead traffic anywhere.
   */
  read(): Region {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'oregon';
      throw error;
    }
    const region = parseTarget(text);
    if (region) return region;
    throw new Error(`${this.#file} names no region; write {"region":"oregon"} or {"region":"virginia"} into it`);
  }

  /** On disk when it returns. */
  write(region: Region): void {
    writeFileAtomically(this.#file, `${JSON.stringify({ region })}\n`);
  }
}

function parseTarget(text: string): Region | undefined {
  try {
    const { region } = JSON.parse(text) as { region?: unknown };
    return REGIONS.find((candidate) => candidate === region);
  } catch {
    return undefined;
  }
}
