import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CommandError, EXIT } from './errors';
import { WorldClient } from './local/world-client';

const TIME_OUT_MS = 30_000;

export interface ServerFlags {
  readonly json?: boolean;
  readonly server?: string;
  readonly tokenFile?: string;
}

/** The options of a command that talks to license servers: those of the world on this machine, or any other. */
export function withServerOptions(command: Command): Command {
  return command
    .option('--server <url>', 'the license server (default: EVERGRANT_SERVER_URL, or the world on this machine)')
    .option('--token-file <file>', 'a file with the API token (default: EVERGRANT_TOKEN_FILE, or the world’s own)');
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

/** The HTTP contract, as an operator's command calls it. */
export class LicenseServer {
  readonly #url: string;
  readonly #token: string;

  private constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** @throws CommandError when the address or the token is missing. */
  static open(flags: ServerFlags, environment: NodeJS.ProcessEnv = process.env): LicenseServer {
    const url = flags.server ?? environment.EVERGRANT_SERVER_URL;
    const tokenFile = flags.tokenFile ?? environment.EVERGRANT_TOKEN_FILE;
    if (url === undefined) {
      const { file } = WorldClient.open(environment);
      return new LicenseServer(file.edge, tokenFile === undefined ? file.tokens.admin : tokenIn(tokenFile));
    }
    if (tokenFile === undefined) {
      throw new CommandError({
        exitCode: EXIT.usage,
        code: 'no_token',
        message: `To ask ${url}, say where its API token is: --token-file FILE, or EVERGRANT_TOKEN_FILE.`,
      });
    }
    return new LicenseServer(url.replace(/\/+$/, ''), tokenIn(tokenFile));
  }

  /** The answer's body. @throws CommandError with the code of the problem document. */
  async call<T>(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    return this.#answer<T>(
      method,
      path,
      body === undefined ? { headers: json } : { headers: json, body: JSON.stringify(body) },
    );
  }

  /** Sends text as it is. @throws CommandError with the code of the problem document. */
  postText<T>(path: string, text: string, headers: Readonly<Record<string, string>> = {}): Promise<T> {
    return this.#answer<T>('POST', path, { headers: { 'content-type': 'text/plain', ...headers }, body: text });
  }

  async #answer<T>(method: string, path: string, content: Content): Promise<T> {
    const response = await this.#send(method, path, content);
    const text = await response.text();
    if (response.ok) return contentOf(response, text) as T;
    throw refused(response.status, problemIn(text));
  }

  /** Every entry of a listing that comes in pages. */
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
        // A redirect could lead the token anywhere.
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

/** JSON as what it says, a file as its text, and nothing as nothing. */
function contentOf(response: Response, text: string): unknown {
  if (text === '') return undefined;
  return response.headers.get('content-type')?.includes('json') === true ? JSON.parse(text) : text;
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

function refused(status: number, problem: Problem): CommandError {
  const { code, title = `The server answered ${status}`, detail, address } = problem;
  // Some details say again what the title says.
  const repeats = detail?.toLowerCase().startsWith(title.toLowerCase()) === true;
  const said = repeats ? detail : [title, detail].filter(Boolean).join(': ');
  const sentences = [said, address && `Ask ${address}`].filter(Boolean).map((sentence) => sentence?.replace(/\.$/, ''));
  const exitCode = status === 422 ? EXIT.usage : status >= 500 ? EXIT.unreachable : EXIT.refused;
  return new CommandError({ exitCode, code: code ?? `http_${status}`, message: sentences.join('. ') });
}
