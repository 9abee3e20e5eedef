import { readFileSync } from 'node:fs';
import type { Region } from '@evergrant/core/regions';
import { REGIONS } from '../layout';
import { writeFileAtomically } from '../world/files';

/** The target region of the public address, stored in a file. On AWS, the public DNS record has this role. */
export class TargetFile {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /**
   * @returns the stored region, or the primary region when the file does not exist.
   * @throws when the file exists and is not valid. The target is never guessed.
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

  /** The content is on disk when this returns. */
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
