import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { waitUntil } from '@evergrant/drills/eventually';
import { type Layout, LOOPBACK } from '@evergrant/local-cluster/layout';
import { PROFILE_DURATIONS } from '@evergrant/local-cluster/profiles';
import { childDefinitions } from '@evergrant/local-cluster/world/environment';
import { EventLog } from '@evergrant/local-cluster/world/events';
import { projectRoot } from '@evergrant/local-cluster/world/files';
import { startNodeChild } from '@evergrant/local-cluster/world/node-child';
import type { SecretFiles } from '@evergrant/local-cluster/world/secrets';

const SERVERS = ['oregon/app-1', 'oregon/app-2', 'oregon/app-3'];
const GRANTING_WITHIN_MS = 120_000;
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
  #isFollowed = false;

  constructor(options: BenchServersOptions) {
    this.#options = options;
  }

  get ports(): number[] {
    return SERVERS.slice(0, this.#children.length).map((name) => this.#options.layout.port(name));
  }

  get pids(): number[] {
    return this.#children.flatMap(({ pid }) => pid ?? []);
  }

  /**
   * Starts so many servers, and waits until all of them grant; what ran before is ended. Where no follower streams from
   * the database they grant unprotected: there is nobody to wait for (S6).
   */
  async start(count: number, { isFollowed }: { isFollowed: boolean }): Promise<void> {
    await this.stop();
    this.#isFollowed = isFollowed;
    for (const name of SERVERS.slice(0, count)) this.#start(name);
    for (const port of this.ports) await this.#untilGranting(port);
  }

  /** Starts a server that has received no request. */
  async startFresh(): Promise<{ port: number; pid: number }> {
    await this.start(1, { isFollowed: this.#isFollowed });
    return { port: this.ports[0] as number, pid: this.pids[0] as number };
  }

  /** How many answers have waited for the follower so far (S2), over all of them. */
  async answersThatWaited(): Promise<number> {
    const pages = this.ports.map(async (port) => (await fetch(`http://${LOOPBACK}:${port}/metrics`)).text());
    const counts = (await Promise.all(pages)).flatMap((page) =>
      [...page.matchAll(/^evergrant_acknowledgement_seconds_count\{[^}]*\} (\d+)$/gm)].map(([, count]) =>
        Number(count),
      ),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Drains them; a profile is written then. */
  async stop(): Promise<void> {
    await Promise.all(this.#children.splice(0).map(ended));
  }

  async #untilGranting(port: number): Promise<void> {
    const url = `http://${LOOPBACK}:${port}`;
    await waitUntil(`the server on port ${port} grants`, GRANTING_WITHIN_MS, async () => {
      const { granting } = (await (await fetch(`${url}/v1/status`)).json()) as { granting: boolean };
      const isUnprotected = /^evergrant_unprotected 1$/m.test(await (await fetch(`${url}/metrics`)).text());
      return granting && isUnprotected !== this.#isFollowed;
    });
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
      EVERGRANT_AUTHORITY_PORT: String(layout.port('ohio/db')),
      ...(this.#isFollowed ? {} : { EVERGRANT_UNPROTECTED_AFTER_MS: '1' }),
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
  const preload = join(projectRoot(), 'dist/bench/cpu-profile.js');
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
