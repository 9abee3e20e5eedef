import { existsSync, readFileSync } from 'node:fs';
import type { Region } from '@evergrant/core/regions';
import { writeFileAtomically } from '../world/files';
import type { Lineage } from './follower-rules';

export type HaPairMemberName = 'oregon/db-a' | 'oregon/db-b';
export type FollowerName = HaPairMemberName | 'virginia/db';

/**
 * What a region's databases are for.
 *
 * - `running`: a primary database of its own stands there.
 * - `kept`: put aside under `label`; the place is free.
 * - `building`, `following`: a follower of the other region is being made, stands there.
 */
export interface RegionState {
  readonly state: 'running' | 'kept' | 'building' | 'following';
  readonly label: string;
}

/** What must survive the supervisor. Written before any step that depends on it. */
export interface DatabasesState {
  readonly regions: Readonly<Record<Region, RegionState>>;
  /** Oregon's primary database; while Oregon follows, the instance that will be it. */
  readonly primary: HaPairMemberName;
  /** The other one of the pair has every acknowledged commit, and commits wait for it. */
  readonly isStandbyEligible: boolean;
  readonly lineages: Readonly<Record<FollowerName, Lineage>>;
}

export const INITIAL_STATE: DatabasesState = {
  regions: { oregon: { state: 'running', label: '' }, virginia: { state: 'following', label: '' } },
  primary: 'oregon/db-a',
  isStandbyEligible: false,
  lineages: { 'oregon/db-a': 'current', 'oregon/db-b': 'current', 'virginia/db': 'current' },
};

/** The record in its file. */
export class StateFile {
  readonly #file: string;
  #record: DatabasesState = INITIAL_STATE;

  constructor(file: string) {
    this.#file = file;
    if (existsSync(file)) this.#record = JSON.parse(readFileSync(file, 'utf8')) as DatabasesState;
  }

  get exists(): boolean {
    return existsSync(this.#file);
  }

  get current(): DatabasesState {
    return this.#record;
  }

  /** Writes the change to the file, then to memory. */
  write(change: Partial<DatabasesState>): void {
    const next = { ...this.#record, ...change };
    writeFileAtomically(this.#file, `${JSON.stringify(next, undefined, 2)}\n`);
    this.#record = next;
  }

  writeRegion(region: Region, state: RegionState['state'], label = this.#record.regions[region].label): void {
    this.write({ regions: { ...this.#record.regions, [region]: { state, label } } });
  }

  writeLineage(name: FollowerName, lineage: Lineage): void {
    if (this.#record.lineages[name] === lineage) return;
    this.write({ lineages: { ...this.#record.lineages, [name]: lineage } });
  }
}
