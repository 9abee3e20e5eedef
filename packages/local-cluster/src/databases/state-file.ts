import { existsSync, readFileSync } from 'node:fs';
import type { Region } from '@evergrant/core/regions';
import { writeFileAtomically } from '../world/files';
import type { Lineage } from './follower-rules';

export type HaPairMemberName = 'oregon/db-a' | 'oregon/db-b';
export type FollowerName = HaPairMemberName | 'virginia/db';

/**
 * The role of a region's databases.
 *
 * - `running`: the region has its own primary database.
 * - `kept`: the databases are archived under `label`, and the region is free.
 * - `building`: a follower of the other region is being built.
 * - `following`: a follower of the other region exists.
 */
export interface RegionState {
  readonly state: 'running' | 'kept' | 'building' | 'following';
  readonly label: string;
}

/** State that must survive the supervisor. It is written before any step that depends on it. */
export interface DatabasesState {
  readonly regions: Readonly<Record<Region, RegionState>>;
  /** Oregon's primary database. While Oregon follows, the instance that will become it. */
  readonly primary: HaPairMemberName;
  /** The other instance of the pair has every acknowledged commit, and commits wait for it. */
  readonly isStandbyEligible: boolean;
  readonly lineages: Readonly<Record<FollowerName, Lineage>>;
}

export const INITIAL_STATE: DatabasesState = {
  regions: { oregon: { state: 'running', label: '' }, virginia: { state: 'following', label: '' } },
  primary: 'oregon/db-a',
  isStandbyEligible: false,
  lineages: { 'oregon/db-a': 'current', 'oregon/db-b': 'current', 'virginia/db': 'current' },
};

/** The supervisor's state and the file that holds it. */
export class SupervisorStateFile {
  readonly #file: string;
  #current: DatabasesState = INITIAL_STATE;

  constructor(file: string) {
    this.#file = file;
    if (existsSync(file)) this.#current = JSON.parse(readFileSync(file, 'utf8')) as DatabasesState;
  }

  get exists(): boolean {
    return existsSync(this.#file);
  }

  get current(): DatabasesState {
    return this.#current;
  }

  /** Writes the change to the file, then to memory. */
  write(change: Partial<DatabasesState>): void {
    const next = { ...this.#current, ...change };
    writeFileAtomically(this.#file, `${JSON.stringify(next, undefined, 2)}\n`);
    this.#current = next;
  }

  writeRegion(region: Region, state: RegionState['state'], label = this.#current.regions[region].label): void {
    this.write({ regions: { ...this.#current.regions, [region]: { state, label } } });
  }

  writeLineage(name: FollowerName, lineage: Lineage): void {
    if (this.#current.lineages[name] === lineage) return;
    this.write({ lineages: { ...this.#current.lineages, [name]: lineage } });
  }
}
