import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AWS_REGION_OF, regionalName, WITNESS_AWS_REGION } from '@evergrant/controller/aws/resource-names';
import { REGIONS, type Region } from '@evergrant/core/regions';
import { clusterHome } from '@evergrant/local-cluster/postgres/binaries';
import { DatabaseModel } from './database-model';
import { certificate, freePort } from './machinery';

/** The controller's egress probe uses this name. */
export const CANARY = `dynamodb.${WITNESS_AWS_REGION}.amazonaws.com:443`;

export interface GroundOptions {
  readonly publicName: string;
  /** RDS's identifiers of the two databases. */
  readonly databases: Readonly<Record<Region, string>>;
}

/**
 * The environment of every deployment in these tests: a folder, one certificate for all names, real databases, names
 * that resolve to ports of this machine (hosts.cjs), and the list of resources to close.
 */
export class Ground {
  readonly publicName: string;
  readonly tls: { readonly cert: string; readonly key: string };
  readonly home: string;
  readonly databases: DatabaseModel;
  readonly hostsFile: string;
  /** Names of the controller only: a cut link is cut for the controller alone. */
  readonly controllerHostsFile: string;
  readonly caFile: string;
  readonly #identifiers: Readonly<Record<Region, string>>;
  readonly #folder = mkdtempSync(join(tmpdir(), 'evergrant-aws-'));
  readonly #ports: Record<string, number> = {};
  readonly #cut = new Set<string>();
  readonly #closing: (() => unknown)[] = [];

  private constructor({ publicName, databases }: GroundOptions, tls: { cert: string; key: string }) {
    this.publicName = publicName;
    this.#identifiers = databases;
    this.tls = tls;
    this.home = clusterHome(this.#folder);
    this.databases = new DatabaseModel({ home: this.home, tls, freePort });
    this.hostsFile = join(this.home, 'hosts.json');
    this.controllerHostsFile = join(this.home, 'controller-hosts.json');
    this.caFile = join(this.home, 'ca.pem');
    writeFileSync(this.caFile, tls.cert);
  }

  static async lay(options: GroundOptions): Promise<Ground> {
    const { publicName, databases } = options;
    const names = REGIONS.flatMap((region) => [
      regionalName(publicName, region),
      databaseHost(databases[region], region),
    ]);
    return new Ground(options, await certificate([publicName, ...names]));
  }

  /** Creates the environment and builds a world on it. When the build fails, it closes everything that was started. */
  static async carry<World>(options: GroundOptions, build: (ground: Ground) => Promise<World>): Promise<World> {
    const ground = await Ground.lay(options);
    try {
      return await build(ground);
    } catch (error) {
      await ground.close();
      throw error;
    }
  }

  /** In the reverse order of creation. */
  closing(close: () => unknown): void {
    this.#closing.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
    await this.databases.end();
    for (const folder of [this.home, this.#folder]) rmSync(folder, { recursive: true, force: true });
  }

  /**
   * `name` is host:port. Port 1 is closed; port 0 drops everything. The file is replaced atomically, because it may be
   * read at any moment.
   */
  say(name: string, port: number): void {
    this.#ports[name] = port;
    this.#write();
  }

  /** Cuts or restores the connections of the controller to `name`. All other connections stay. */
  cut(name: string, isCut: boolean): void {
    if (isCut) this.#cut.add(name);
    else this.#cut.delete(name);
    this.#write();
  }

  portOf(name: string): number | undefined {
    return this.#ports[name];
  }

  databaseHost(region: Region): string {
    return databaseHost(this.#identifiers[region], region);
  }

  /** The name of each database resolves to the instance with its current identifier. */
  nameDatabases(): void {
    for (const region of REGIONS) {
      const instance = this.databases.get(this.#identifiers[region]);
      this.say(`${this.databaseHost(region)}:5432`, instance?.port ?? 1);
    }
  }

  #write(): void {
    const forController = { ...this.#ports, ...Object.fromEntries([...this.#cut].map((name) => [name, 1])) };
    for (const [file, ports] of [
      [this.hostsFile, this.#ports],
      [this.controllerHostsFile, forController],
    ] as const) {
      writeFileSync(`${file}.new`, JSON.stringify(ports));
      renameSync(`${file}.new`, file);
    }
  }

  /** Applies the operations that the emulated RDS only records to the real databases. */
  async runOperation(path: string, { identifier = '', source = '', name = '', password = '' }: Record<string, string>) {
    if (path === '/create') await this.databases.makeEmpty(identifier, password);
    if (path === '/follow') await this.databases.follow(identifier, source);
    if (path === '/promote') await this.databases.promote(identifier);
    if (path === '/reboot') await this.databases.reboot(identifier);
    if (path === '/rename') await this.databases.rename(identifier, name);
    this.nameDatabases();
  }
}

function databaseHost(identifier: string, region: Region): string {
  return `${identifier}.c0ffee.${AWS_REGION_OF[region]}.rds.amazonaws.com`;
}
