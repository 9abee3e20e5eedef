import { existsSync, readFileSync } from 'node:fs';
import { CommandError, EXIT } from '@evergrant/cli/errors';
import { worldHome } from '../world/options';
import type { WorldState } from '../world/state';
import { type WorldFile, worldFilePath } from '../world/world-file';

const TIME_OUT_MS = 90_000;

/** Client of the local cluster's control API. */
export class WorldClient {
  readonly file: WorldFile;
  readonly home: string;

  private constructor(home: string, file: WorldFile) {
    this.home = home;
    this.file = file;
  }

  /** @throws CommandError (`no_world`) when there is no world file. */
  static open(environment: NodeJS.ProcessEnv = process.env): WorldClient {
    const home = worldHome(environment);
    const path = worldFilePath(home);
    if (!existsSync(path)) {
      throw new CommandError({
        exitCode: EXIT.unreachable,
        code: 'no_world',
        message: `No local cluster runs here (${path} does not exist). Start one with: npm start`,
      });
    }
    return new WorldClient(home, JSON.parse(readFileSync(path, 'utf8')) as WorldFile);
  }

  state(): Promise<WorldState> {
    return this.#call<WorldState>('GET', '/state');
  }

  act(name: string, action: string): Promise<{ name: string; result: string }> {
    return this.#call('POST', `/processes/${encodeURIComponent(name)}/${encodeURIComponent(action)}`);
  }

  changeLink(link: string, change: { mode?: string; delayMs?: number }): Promise<unknown> {
    return this.#call('POST', `/links/${encodeURIComponent(link)}`, change);
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.#send(method, path, body);
    const answer = (await response.json().catch(() => undefined)) as { code?: string; detail?: string } | undefined;
    if (response.ok) return answer as T;
    throw new CommandError({
      exitCode: response.status === 422 ? EXIT.usage : EXIT.refused,
      code: answer?.code ?? 'world_error',
      message: answer?.detail ?? `the control API returned ${response.status}`,
    });
  }

  async #send(method: string, path: string, body: unknown): Promise<Response> {
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
        message: `The local cluster's main process (pid ${this.file.world.pid}) does not answer. If it has exited, start it again: npm start`,
        cause,
      });
    }
  }
}

/** True when a world file exists and at least one of its processes is alive. */
export function isWorldRunning(environment: NodeJS.ProcessEnv = process.env): boolean {
  let file: WorldFile;
  try {
    file = JSON.parse(readFileSync(worldFilePath(worldHome(environment)), 'utf8')) as WorldFile;
  } catch {
    return false;
  }
  const pids = [file.world.pid, ...file.processes.flatMap(({ pid, state }) => (state === 'exited' ? [] : (pid ?? [])))];
  return pids.some(isAlive);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
