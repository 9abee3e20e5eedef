import { createHash, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { CommandError, EXIT } from '../errors';
import { LicenseServer, type ServerFlags, withServerOptions } from '../license-server';
import { createOutput, table } from '../output';
import { writeSecretFile } from '../secret-file';

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

/** `npx evergrant token`: API tokens. The secret is made here, and only its hash travels. */
export function addTokenCommands(program: Command): void {
  const tokens = program.command('token').description('API tokens: make, list, revoke');
  withServerOptions(tokens.command('create <name>'))
    .description('make a token; the server is told its hash')
    .addOption(new Option('--scope <scope...>', 'what it may do').choices(SCOPES).makeOptionMandatory())
    .option('--expires <when>', 'a date (2027-06-30), or from now: 90d, 12h')
    .option('--control-room <guid>', 'a token that acts for this Control Room alone')
    .option('--out <file>', 'write the token to this file, readable by its owner only')
    .option('--print', 'print the token, once')
    .action(async (name: string, _options: unknown, command: Command) =>
      create(name, command.optsWithGlobals<CreateFlags>()),
    );
  withServerOptions(tokens.command('list'))
    .description('who may call, and how; those revoked and expired included')
    .option('--control-room <guid>', 'only tokens of this Control Room')
    .action(async (_options: unknown, command: Command) => list(command.optsWithGlobals<CreateFlags>()));
  withServerOptions(tokens.command('revoke <name>'))
    .description('end a token for good, on every server within five seconds')
    .requiredOption('--reason <text>', 'kept for the audit')
    .action(async (name: string, _options: unknown, command: Command) =>
      revoke(name, command.optsWithGlobals<ServerFlags & { reason: string }>()),
    );
}

async function create(name: string, flags: CreateFlags): Promise<void> {
  if ((flags.out === undefined) === (flags.print !== true)) {
    throw new CommandError({
      exitCode: EXIT.usage,
      code: 'where_to',
      message: 'Say where the token goes: --out FILE, or --print.',
    });
  }
  const expiresAt = flags.expires === undefined ? undefined : expiry(flags.expires, Date.now());
  const server = LicenseServer.open(flags);
  const output = createOutput(flags.json === true);
  const token = `egt_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
  // Written first: a token that is registered and nowhere kept would be of no use to anyone.
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
    // Without an answer the token may be registered: then the file is all there is of it.
    const kept = error instanceof CommandError && error.exitCode === EXIT.unreachable;
    if (flags.out !== undefined && !kept) rmSync(flags.out, { force: true });
    throw error;
  }
  output.document({ name, scopes: flags.scope, expiresAt: expiresAt ?? null, ...(flags.print ? { token } : {}) });
  output.line(flags.print ? token : `Token "${name}" is registered; it is in ${flags.out}.`);
}

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** An instant as ISO 8601. @throws CommandError for anything that is no time to come. */
export function expiry(text: string, nowMs: number): string {
  const [, count, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const atMs = count === undefined ? Date.parse(text) : nowMs + Number(count) * (UNITS_MS[unit] ?? 0);
  if (atMs > nowMs) return new Date(atMs).toISOString();
  throw new CommandError({
    exitCode: EXIT.usage,
    code: 'expires',
    message: `--expires ${text}: a date to come (2027-06-30), or a time from now (90d, 12h, 30m).`,
  });
}

async function list(flags: CreateFlags): Promise<void> {
  const output = createOutput(flags.json === true);
  const only = flags.controlRoom === undefined ? '' : `?controlRoom=${encodeURIComponent(flags.controlRoom)}`;
  const tokens = await LicenseServer.open(flags).listAll<TokenView>(`/v1/api-tokens${only}`, 'tokens');
  output.document({ tokens });
  output.line(
    table([
      ['name', 'scopes', 'made by', 'until'],
      ...tokens.map((token) => [token.name, token.scopes.join(' '), token.createdBy ?? '-', until(token)]),
    ]),
  );
}

function until({ revokedAt, revokedBecause, expiresAt }: TokenView): string {
  if (revokedAt) return `revoked ${revokedAt}${revokedBecause ? `: ${revokedBecause}` : ''}`;
  return expiresAt ?? 'it is revoked';
}

async function revoke(name: string, flags: ServerFlags & { reason: string }): Promise<void> {
  const output = createOutput(flags.json === true);
  await LicenseServer.open(flags).call('DELETE', `/v1/api-tokens/${encodeURIComponent(name)}`, {
    reason: flags.reason,
  });
  output.document({ name, effect: 'revoked' });
  output.line(`Token "${name}" is revoked; within five seconds no server takes it any more.`);
}
