import { createHash, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { table } from '@evergrant/core/text-table';
import { type Command, Option } from 'commander';
import { CommandError, EXIT, usageError } from '../errors';
import { writeSecretFile } from '../files';
import { type OpenServer, type ServerFlags, withServerOptions } from '../license-server-client';
import { createOutput } from '../output';
import { parseInstantMs } from '../parse-date';

interface TokenView {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly controlRoom: string | null;
  readonly createdBy: string | null;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  readonly revokedBecause: string | null;
}

interface CreateFlags extends ServerFlags {
  readonly scope: readonly string[];
  readonly expires?: string;
  readonly controlRoom?: string;
  readonly out?: string;
  readonly print?: boolean;
}

const SCOPES = ['lease', 'read', 'admin'];
const TOKEN_BYTES = 32;

/** `npx evergrant token`: API tokens. The command creates the secret and sends only its hash. */
export function addTokenCommands(program: Command, openServer: OpenServer): void {
  const tokens = program.command('token').description('create, list and revoke API tokens');
  withServerOptions(tokens.command('create <name>'))
    .description('create a token; the server receives only its hash')
    .addOption(new Option('--scope <scope...>', 'permissions of the token').choices(SCOPES).makeOptionMandatory())
    .option('--expires <when>', 'a date (2027-06-30) or a duration from now: 90d, 12h')
    .option('--control-room <guid>', 'limit the token to this Control Room')
    .option('--out <file>', 'write the token to this file, readable by its owner only')
    .option('--print', 'print the token')
    .action(async (name: string, _options: unknown, command: Command) =>
      create(openServer, name, command.optsWithGlobals<CreateFlags>()),
    );
  withServerOptions(tokens.command('list'))
    .description('list tokens, including revoked and expired ones')
    .option('--control-room <guid>', 'only tokens of this Control Room')
    .action(async (_options: unknown, command: Command) => list(openServer, command.optsWithGlobals<CreateFlags>()));
  withServerOptions(tokens.command('revoke <name>'))
    .description('revoke a token permanently, on every server within five seconds')
    .requiredOption('--reason <text>', 'recorded in the audit log')
    .action(async (name: string, _options: unknown, command: Command) =>
      revoke(openServer, name, command.optsWithGlobals<ServerFlags & { reason: string }>()),
    );
}

async function create(openServer: OpenServer, name: string, flags: CreateFlags): Promise<void> {
  if ((flags.out === undefined) === (flags.print !== true)) {
    throw new CommandError({
      exitCode: EXIT.usage,
      code: 'where_to',
      message: 'Set the destination of the token: --out FILE, or --print.',
    });
  }
  const expiresAt = flags.expires === undefined ? undefined : parseExpiry(flags.expires, Date.now());
  const server = openServer(flags);
  const output = createOutput(flags.json === true);
  const token = `egt_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
  // The file is written first: a registered token without a copy would be useless.
  if (flags.out !== undefined) writeSecretFile(flags.out, token);
  try {
    await server.call('POST', '/v1/api-tokens', {
      name,
      scopes: flags.scope,
      tokenSha256: createHash('sha256').update(token).digest('hex'),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      ...(flags.controlRoom === undefined ? {} : { controlRoom: flags.controlRoom }),
    });
  } catch (error) {
    // Without a response the token may be registered, and the file is its only copy.
    const kept = error instanceof CommandError && error.exitCode === EXIT.unreachable;
    if (flags.out !== undefined && !kept) rmSync(flags.out, { force: true });
    throw error;
  }
  output.document({ name, scopes: flags.scope, expiresAt: expiresAt ?? null, ...(flags.print ? { token } : {}) });
  output.line(flags.print ? token : `Token "${name}" is registered and stored in ${flags.out}.`);
}

/** Returns ISO 8601. @throws CommandError (`expires`) unless the text is an instant in the future */
export function parseExpiry(text: string, nowMs: number): string {
  const atMs = parseInstantMs(text, nowMs);
  if (atMs !== undefined && atMs > nowMs) return new Date(atMs).toISOString();
  throw usageError(
    'expires',
    `--expires ${text}: give a date in the future (2027-06-30) or a duration from now (90d, 12h, 30m).`,
  );
}

async function list(openServer: OpenServer, flags: CreateFlags): Promise<void> {
  const output = createOutput(flags.json === true);
  const only = flags.controlRoom === undefined ? '' : `?controlRoom=${encodeURIComponent(flags.controlRoom)}`;
  const tokens = await openServer(flags).listAll<TokenView>(`/v1/api-tokens${only}`, 'tokens');
  output.document({ tokens });
  output.line(
    table([
      ['name', 'scopes', 'created by', 'state', 'expires'],
      ...tokens.map((token) => [
        token.name,
        token.scopes.join(' '),
        token.createdBy ?? '-',
        stateOf(token, Date.now()),
        token.expiresAt ?? 'never',
      ]),
    ]),
  );
}

function stateOf({ revokedAt, revokedBecause, expiresAt }: TokenView, nowMs: number): string {
  if (revokedAt !== null) return `revoked ${revokedAt}${revokedBecause ? `: ${revokedBecause}` : ''}`;
  return expiresAt !== null && Date.parse(expiresAt) <= nowMs ? 'expired' : 'active';
}

async function revoke(openServer: OpenServer, name: string, flags: ServerFlags & { reason: string }): Promise<void> {
  const output = createOutput(flags.json === true);
  await openServer(flags).call('DELETE', `/v1/api-tokens/${encodeURIComponent(name)}`, {
    reason: flags.reason,
  });
  output.document({ name, effect: 'revoked' });
  output.line(`Token "${name}" is revoked. Every server rejects it within five seconds.`);
}
