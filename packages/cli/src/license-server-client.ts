import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CommandError, EXIT } from './errors';
import type { ServerAccess, Target } from './target';

const TIME_OUT_MS = 30_000;

export interface ServerFlags {
  readonly json?: boolean;
  readonly server?: string;
  readonly tokenFile?: string;
}

/** Opens the license server that the flags, the environment or the target select. */
export type OpenServer = (flags: ServerFlags) => LicenseServerClient;

export interface ServerDefaults {
  readonly environment: NodeJS.ProcessEnv;
  /** The selected target. @throws CommandError when none is selected */
  readonly target: () => Target;
}

/** Adds the options of a command that calls a license server. */
export function withServerOptions(command: Command): Command {
  return command
    .option('--server <url>', "the license server (default: EVERGRANT_SERVER_URL, or the target's own)")
    .option('--token-file <file>', "a file with the API token (default: EVERGRANT_TOKEN_FILE, or the target's own)");
}

interface Content {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Problem {
  readonly code?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly address?: string | null;
}

/** Calls a license server's HTTP API with an API token. */
export class LicenseServerClient {
  readonly #url: string;
  readonly #token: string;

  constructor({ url, token }: ServerAccess) {
    this.#url = url.replace(/\/+$/, '');
    this.#token = token;
  }

  /** @throws CommandError when no server is selected or the token is missing. */
  static open(flags: ServerFlags, { environment, target }: ServerDefaults): LicenseServerClient {
    const url = flags.server ?? environment.EVERGRANT_SERVER_URL;
    const tokenFile = flags.tokenFile ?? environment.EVERGRANT_TOKEN_FILE;
    if (url === undefined) {
      const access = targetAccess(target);
      return new LicenseServerClient(tokenFile === undefined ? access : { ...access, token: tokenIn(tokenFile) });
    }
    // The target's own token is never sent to another server.
    if (tokenFile === undefined) {
      throw new CommandError({
        exitCode: EXIT.usage,
        code: 'no_token',
        message: `The API token for ${url} is missing. Set --token-file FILE or EVERGRANT_TOKEN_FILE.`,
      });
    }
    return new LicenseServerClient({ url, token: tokenIn(tokenFile) });
  }

  /** Returns the response body. @throws CommandError with the code of the problem document */
  async call<T>(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    return this.#answer<T>(
      method,
      path,
      body === undefined ? { headers: json } : { headers: json, body: JSON.stringify(body) },
    );
  }

  /** Sends text unchanged. @throws CommandError with the code of the problem document */
  postText<T>(path: string, text: string, headers: Readonly<Record<string, string>> = {}): Promise<T> {
    return this.#answer<T>('POST', path, { headers: { 'content-type': 'text/plain', ...headers }, body: text });
  }

  async #answer<T>(method: string, path: string, content: Content): Promise<T> {
    const response = await this.#send(method, path, content);
    const text = await response.text();
    if (response.ok) return contentOf(response, text) as T;
    throw rejected(response.status, problemIn(text));
  }

  /** Returns every entry of a paged listing. */
  async listAll<T>(path: string, member: string): Promise<T[]> {
    const entries: T[] = [];
    const separator = path.includes('?') ? '&' : '?';
    let cursor: string | null = null;
    do {
      const from: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page = await this.call<Record<string, unknown>>('GET', `${path}${separator}limit=1000${from}`);
      entries.push(...(page[member] as T[]));
      cursor = page.nextCursor as string | null;
    } while (cursor !== null);
    return entries;
  }

  async #send(method: string, path: string, { headers, ...body }: Content): Promise<Response> {
    try {
      return await fetch(`${this.#url}${path}`, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, ...headers },
        ...body,
        // A redirect could send the token to another host.
        redirect: 'error',
        signal: AbortSignal.timeout(TIME_OUT_MS),
      });
    } catch (cause) {
      const { message, cause: deeper } = cause as Error & { cause?: { code?: string; message?: string } };
      throw new CommandError({
        exitCode: EXIT.unreachable,
        code: 'server_unreachable',
        message: `${this.#url} does not answer: ${deeper?.code ?? deeper?.message ?? message}`,
        cause,
      });
    }
  }
}

/** Parses JSON, returns other text unchanged, and an empty body as undefined. */
function contentOf(response: Response, text: string): unknown {
  if (text === '') return undefined;
  return response.headers.get('content-type')?.includes('json') === true ? JSON.parse(text) : text;
}

/** @throws CommandError when no target is selected, or the target has no license server */
function targetAccess(target: () => Target): ServerAccess {
  const noServer = (cause?: unknown): CommandError =>
    new CommandError({
      exitCode: EXIT.usage,
      code: 'no_server',
      message:
        'No license server is selected. Set --server URL and --token-file FILE, or EVERGRANT_SERVER_URL and ' +
        'EVERGRANT_TOKEN_FILE, or run the command in the folder of a running local cluster.',
      cause,
    });
  let selected: Target;
  try {
    selected = target();
  } catch (error) {
    if (error instanceof CommandError && error.code === 'no_target') throw noServer(error);
    throw error;
  }
  if (!selected.serverAccess) throw noServer();
  return selected.serverAccess();
}

function tokenIn(file: string): string {
  try {
    const token = readFileSync(file, 'utf8').trim();
    if (token !== '') return token;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError({
      exitCode: EXIT.usage,
      code: 'no_token',
      message: `The token file ${file} cannot be read (${code}).`,
    });
  }
  throw new CommandError({ exitCode: EXIT.usage, code: 'no_token', message: `The token file ${file} is empty.` });
}

function problemIn(text: string): Problem {
  try {
    return JSON.parse(text) as Problem;
  } catch {
    return {};
  }
}

function rejected(status: number, problem: Problem): CommandError {
  const { code, title = `The server answered ${status}`, detail, address } = problem;
  // Some details repeat the title.
  const repeats = detail?.toLowerCase().startsWith(title.toLowerCase()) === true;
  const summary = repeats ? detail : [title, detail].filter(Boolean).join(': ');
  const sentences = [summary, address && `Ask ${address}`]
    .filter(Boolean)
    .map((sentence) => sentence?.replace(/\.$/, ''));
  const exitCode = status === 422 ? EXIT.usage : status >= 500 ? EXIT.unreachable : EXIT.refused;
  return new CommandError({ exitCode, code: code ?? `http_${status}`, message: sentences.join('. ') });
}
