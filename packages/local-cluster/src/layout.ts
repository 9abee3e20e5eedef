/**
 * The processes of the local cluster: the names, kinds and ports that operators' scripts rely on. The module is pure:
 * it opens no ports.
 */

import { PRIMARY_REGION, type Region, STANDBY_REGION } from '@evergrant/core/regions';

export type Place = Region | 'ohio';
export type Kind = 'app' | 'db' | 'router' | 'edge' | 'witness' | 'controller';

export const LOOPBACK = '127.0.0.1';
export const DEFAULT_BASE_PORT = 8080;
export const REGIONS: readonly Region[] = [PRIMARY_REGION, STANDBY_REGION];

export interface ProcessSpec {
  readonly name: string;
  readonly kind: Kind;
  readonly place: Place | undefined;
  /** Offset from the base port. Undefined for a process that does not listen. */
  readonly offset: number | undefined;
}

const app = (region: Region, number: number, offset: number): ProcessSpec => ({
  name: `${region}/app-${number}`,
  kind: 'app',
  place: region,
  offset,
});

/** Every process of the world except the main one, in display order. */
export const PROCESSES: readonly ProcessSpec[] = [
  { name: 'edge', kind: 'edge', place: undefined, offset: 0 },
  { name: 'oregon/router', kind: 'router', place: 'oregon', offset: 1 },
  app('oregon', 1, 11),
  app('oregon', 2, 12),
  app('oregon', 3, 13),
  { name: 'oregon/db-a', kind: 'db', place: 'oregon', offset: 14 },
  { name: 'oregon/db-b', kind: 'db', place: 'oregon', offset: 15 },
  { name: 'virginia/router', kind: 'router', place: 'virginia', offset: 2 },
  app('virginia', 1, 21),
  app('virginia', 2, 22),
  app('virginia', 3, 23),
  { name: 'virginia/db', kind: 'db', place: 'virginia', offset: 24 },
  { name: 'ohio/witness', kind: 'witness', place: 'ohio', offset: 4 },
  { name: 'ohio/db', kind: 'db', place: 'ohio', offset: 30 },
  { name: 'controller', kind: 'controller', place: undefined, offset: undefined },
];

/** Ports of the main process: its control API, Oregon's database endpoint and the links. */
const MAIN_OFFSETS = {
  control: 3,
  oregonDatabaseEndpoint: 10,
  links: {
    'virginia-oregon/router': 40,
    'virginia-oregon/db': 41,
    'virginia-oregon/replication': 42,
    'oregon-ohio/db': 43,
    'virginia-ohio/db': 44,
    'ohio-oregon/router': 45,
    'oregon-virginia/replication': 46,
    'ohio-virginia/router': 47,
  },
} as const;

export type LinkName = keyof typeof MAIN_OFFSETS.links;

/** The port that a link forwards to. */
const LINK_TARGET_OFFSETS: Record<LinkName, number> = {
  'virginia-oregon/router': 1,
  'virginia-oregon/db': 10,
  'virginia-oregon/replication': 10,
  'oregon-ohio/db': 30,
  'virginia-ohio/db': 30,
  'ohio-oregon/router': 1,
  'oregon-virginia/replication': 24,
  'ohio-virginia/router': 2,
};

export const LINK_NAMES = Object.keys(MAIN_OFFSETS.links) as LinkName[];

export class Layout {
  readonly basePort: number;

  constructor(basePort: number) {
    this.basePort = basePort;
  }

  /** The port of a process. @throws Error for a name that does not listen */
  port(name: string): number {
    const spec = PROCESSES.find((candidate) => candidate.name === name);
    if (spec?.offset === undefined) throw new Error(`${name} does not listen on a port`);
    return this.basePort + spec.offset;
  }

  url(name: string): string {
    return `http://${LOOPBACK}:${this.port(name)}`;
  }

  get controlPort(): number {
    return this.basePort + MAIN_OFFSETS.control;
  }

  get oregonDatabasePort(): number {
    return this.basePort + MAIN_OFFSETS.oregonDatabaseEndpoint;
  }

  linkPort(link: LinkName): number {
    return this.basePort + MAIN_OFFSETS.links[link];
  }

  linkTargetPort(link: LinkName): number {
    return this.basePort + LINK_TARGET_OFFSETS[link];
  }

  /** Public addresses of the regions' routers. */
  get regionAddresses(): Record<Region, string> {
    return { oregon: this.url('oregon/router'), virginia: this.url('virginia/router') };
  }

  /** Every port of the world with the process that uses it. An error message names both when a port is taken. */
  allPorts(): { port: number; usedBy: string }[] {
    const processes = PROCESSES.flatMap(({ name, offset }) =>
      offset === undefined ? [] : [{ port: this.basePort + offset, usedBy: name }],
    );
    const links = LINK_NAMES.map((link) => ({ port: this.linkPort(link), usedBy: `link ${link}` }));
    return [
      ...processes,
      { port: this.controlPort, usedBy: 'the control API' },
      { port: this.oregonDatabasePort, usedBy: "Oregon's database endpoint" },
      ...links,
    ];
  }
}
