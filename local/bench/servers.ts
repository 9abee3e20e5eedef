import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { eventually } from '../drills/eventually';
import { type Layout, LOOPBACK } from '../two-region/layout';
import { PROFILE_DURATIONS } from '../two-region/profiles';
import { childDefinitions } from '../two-region/world/environment';
import { EventLog } from '../two-region/world/events';
import { projectRoot } from '../two-region/world/files';
import { startNodeChild } from '../two-region/world/node-child';
import type { SecretFiles } from '../two-region/world/secrets';

const SERVERS = ['oregon/app-1', 'oregon/app-2', 'oregon/app-3'];
const GRANTING_WITHIN_MS = 20_000;
const ENDED_WITHIN_MS = 10_000;

export interface BenchServersOptions {
  readonly layout: Layout;
  readonly home: string;
  readonly secretFiles: SecretFiles;
  readonly trustFile: string;
  /** A directory for a V8 CPU profile of each server. */
  readonly profileTo: string | undefined;
}

/** Oregon's license servers, as the world starts them, with nothing in front of them. */
export class BenchServers {
  readonly #options: BenchServersOptions;
  readonly #children: ChildProcess[] = [];

  constructor(options: BenchServersOptions) {
    this.#options = options;
  }

  get ports(): number[] {
    return SERVERS.slice(0, this.#children.length).map((name) => this.#options.layout.port(name));
  }

  get pids(): number[] {
    return this.#children.flatMap(({ pid }) => pid ?? []);
  }

  /** Starts servers until there are so many, and waits until all of them grant. */
  async growTo(count: number): Promise<void> {
    while (this.#children.length < count) this.#start(SERVERS[this.#children.length] as string);
    for (const port of this.ports) {
      await eventually(`the server on port ${port} grants`, GRANTING_WITHIN_MS, async () => {
        const answer = await fetch(`http://${LOOPBACK}:${port}/v1/status`);
        return ((await answer.json()) as { granting: boolean }).granting;
      });
    }
  }

  /** A server that nobody has asked anything yet: the last one, started anew. */
  async fresh(): Promise<{ port: number; pid: number }> {
    const last = this.#children.pop();
    if (last) await ended(last);
    await this.growTo(this.#children.length + 1);
    return { port: this.ports.at(-1) as number, pid: this.pids.at(-1) as number };
  }

  /** Drains them; a profile is written then. */
  async stop(): Promise<void> {
    await Promise.all(this.#children.map(ended));
  }

  #start(name: string): void {
    const { layout, home, secretFiles, trustFile, profileTo } = this.#options;
    const definitions = childDefinitions({
      ...{ layout, home, secretFiles, trustFile, profile: 'default', durations: PROFILE_DURATIONS.default },
      logLevel: 'info',
    });
    const definition = definitions.find((each) => each.name === name);
    if (!definition) throw new Error(`the world knows no server ${name}`);
    const env = {
      ...definition.env,
      NODE_ENV: 'production',
      // The links and the endpoint of the world are left out: nothing stands between server and database.
      EVERGRANT_DATABASE_PORT: String(layout.port('oregon/db-a')),
      // There is no follower here, and so nothing to wait for.
      EVERGRANT_UNPROTECTED_AFTER_MS: '1',
      EVERGRANT_AUTHORITY_PORT: String(layout.port('ohio/db')),
      ...(profileTo ? profiled(profileTo) : {}),
    };
    const surroundings = {
      distDir: join(projectRoot(), 'dist'),
      logDir: join(home, 'logs'),
      home,
      events: new EventLog(),
    };
    this.#children.push(startNodeChild({ ...definition, env }, surroundings, () => undefined));
  }
}

function profiled(directory: string): Record<string, string> {
  const preload = join(projectRoot(), 'dist/local/bench/cpu-profile.js');
  return { NODE_OPTIONS: `--require ${JSON.stringify(preload)}`, EVERGRANT_BENCH_PROFILE_TO: directory };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), ENDED_WITHIN_MS);
  await exit;
  clearTimeout(force);
}
