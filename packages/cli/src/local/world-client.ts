import { existsSync, readFileSync } from 'node:fs';
import { worldHome } from '@evergrant/local-cluster/world/options';
import type { WorldState } from '@evergrant/local-cluster/world/state';
import { type WorldFile, worldFilePath } from '@evergrant/local-cluster/world/world-file';
import { CommandError, EXIT } from '../errors';

const TIME_OUT_MS = 90_000;

/** The world that runs from this project's folder, through its control interface. */
export class WorldClient {
  readonly file: WorldFile;
  readonly home: string;

  private constructor(home: string, file: WorldFile) {
    this.home = home;
    this.file = file;
  }

  /** @throws CommandError (unreachable) that says how to start a world. */
  static open(environment: NodeJS.ProcessEnv = process.env): WorldClient {
    const home = worldHome(environment);
    const path = worldFilePath(home);
    if (!existsSync(path)) {
      throw new CommandError({
        exitCode: EXIT.unreachable,
        code: 'no_world',
        message: `No world runs here (there is no ${path}). Start one with: npm start`,
      });
    }
    return new WorldClient(home, JSON.parse(readFileSync(path, 'utf8')) as WorldFile);
  }

  state(): Promise<WorldState> {
    return this.call<WorldState>('GET', '/state');
  }

  act(name: string, action: string): Promise<{ name: string; result: string }> {
    return this.call('POST', `/processes/${encodeURIComponent(name)}/${encodeURIComponent(action)}`);
  }

  changeLink(link: string, change: { mode?: string; delayMs?: number }): Promise<unknown> {
    return this.call('POST', `/links/${encodeURIComponent(link)}`, change);
  }

  private async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.send(method, path, body);
    const answer = (await response.json().catch(() => undefined)) as { code?: string; detail?: string } | undefined;
    if (response.ok) return answer as T;
    throw new CommandError({
      exitCode: response.status === 422 ? EXIT.usage : EXIT.refused,
      code: answer?.code ?? 'world_error',
      message: answer?.detail ?? `the world answered ${response.status}`,
    });
  }

  private async send(method: string, path: string, body: unknown): Promise<Response> {
    try {
      return await fetch(`${this.file.world.control}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${this.file.tokens.admin}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIME_OUT_MS),
      });
    } catch (cause) {
      throw new CommandError({
        exitCode: EXIT.unreachable,
        code: 'world_unreachable',
        message: `The world's main process (pid ${this.file.world.pid}) does not answer. If it has ended, start it again: npm start`,
        cause,
      });
    }
  }
}
