import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOOPBACK } from '@evergrant/local-cluster/layout';
import { findFreeBasePort } from '@evergrant/local-cluster/world/ports';
import type { WorldSecrets } from '@evergrant/local-cluster/world/secrets';
import { World } from '@evergrant/local-cluster/world/world';
import { registerTokens } from '@evergrant/server/api-tokens/sql/register-tokens';
import type { Scope } from '@evergrant/server/auth/core/caller';
import { Client } from 'pg';

const SCOPES: readonly Scope[] = ['read', 'lease', 'admin'];
const SERVER = 'oregon/app-1';
const REQUESTS_COUNTED = /^evergrant_http_request_seconds_count\{.*status="(\d+)".*\} (\d+)$/gm;

/** A fresh world whose first server is asked, with one API token for each scope. */
export class FuzzTarget {
  readonly address: string;
  readonly tokens: Readonly<Record<Scope, string>>;
  private readonly world: World;

  private constructor(world: World, tokens: Readonly<Record<Scope, string>>) {
    this.world = world;
    this.tokens = tokens;
    this.address = world.layout.url(SERVER);
  }

  static async start(): Promise<FuzzTarget> {
    const home = mkdtempSync(join(tmpdir(), 'evergrant-fuzz-'));
    const basePort = await findFreeBasePort();
    const world = new World({ home, basePort, profile: 'fast', keep: false, fresh: false, rooms: 0 });
    const tokens = Object.fromEntries(SCOPES.map((scope) => [scope, randomBytes(24).toString('base64url')]));
    const target = new FuzzTarget(world, tokens as Record<Scope, string>);
    try {
      await world.start();
      await target.register();
      return target;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  get home(): string {
    return this.world.home;
  }

  async document(): Promise<unknown> {
    return (await fetch(`${this.address}/openapi.json`)).json();
  }

  /** How many requests were answered with each status, the most frequent first. */
  async answers(): Promise<string> {
    const metrics = await (await fetch(`${this.address}/metrics`)).text();
    const counts = new Map<string, number>();
    for (const [, status = '', count] of metrics.matchAll(REQUESTS_COUNTED)) {
      counts.set(status, (counts.get(status) ?? 0) + Number(count));
    }
    return [...counts]
      .sort((left, right) => right[1] - left[1])
      .map(([status, count]) => `${count} with ${status}`)
      .join(', ');
  }

  /** What is wrong with the server and its database after all that; empty when nothing is. */
  async wounds(): Promise<string[]> {
    const status = (await (await fetch(`${this.address}/v1/status`)).json()) as { granting: boolean; reason?: string };
    const wounds = status.granting ? [] : [`${SERVER} does not grant any more: ${status.reason}`];
    const logs = join(this.world.home, 'logs');
    for (const file of readdirSync(logs).filter((name) => name.includes('app-'))) {
      const faults = readFileSync(join(logs, file), 'utf8')
        .split('\n')
        .filter((line) => line.includes('failed with an internal error'));
      if (faults[0]) wounds.push(`${faults.length} faults in the log ${file}, the first: ${faults[0].slice(0, 2_000)}`);
    }
    const miscounted = await this.asOwner((client) =>
      client.query(`select feature, seats_taken, live from pool, lateral (
        select coalesce(sum(seats), 0)::int as live from lease where pool_id = pool.id and state = 'live') counted
        where seats_taken <> live`),
    );
    for (const { feature, seats_taken, live } of miscounted.rows) {
      wounds.push(`pool ${feature}: ${seats_taken} seats counted as taken, ${live} held by live leases`);
    }
    return wounds;
  }

  stop({ keep }: { keep: boolean }): Promise<void> {
    return this.world.stop({ keep });
  }

  private async register(): Promise<void> {
    const entries = SCOPES.map((scope) => ({ name: `fuzz-${scope}`, token: this.tokens[scope], scopes: [scope] }));
    await this.asOwner((client) => registerTokens(client, entries));
    // Servers read the tokens in rounds.
    const deadline = performance.now() + 20_000;
    for (;;) {
      const headers = { authorization: `Bearer ${this.tokens.read}` };
      if ((await fetch(`${this.address}/v1/pools`, { headers })).ok) return;
      if (performance.now() > deadline) throw new Error(`${SERVER} does not know its new API tokens`);
      await new Promise((resume) => setTimeout(resume, 100));
    }
  }

  private async asOwner<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const secrets = JSON.parse(readFileSync(join(this.home, 'secrets/world.json'), 'utf8')) as WorldSecrets;
    const client = new Client({
      host: LOOPBACK,
      port: this.world.layout.oregonDatabasePort,
      database: 'evergrant',
      user: 'evergrant_owner',
      password: secrets.databasePasswords.evergrant_owner,
    });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
}
