import { pipeline } from 'node:stream/promises';
import { table } from '@evergrant/core/text-table';
import type { AuditEvent } from '@evergrant/formats/audit/event';
import { FINDING_MEANINGS } from '@evergrant/formats/audit/finding';
import { toCsv, toJsonLines } from '@evergrant/formats/audit/streams';
import { type Command, Option } from 'commander';
import pc from 'picocolors';
import { ServerLog } from '../audit/server-log';
import { type VerificationOutcome, verifyFiles, verifyServer } from '../audit/verify';
import { CommandError, EXIT, usageError } from '../errors';
import { openNewFile } from '../files';
import { type OpenServer, type ServerFlags, withServerOptions } from '../license-server-client';
import { createOutput, type Output } from '../output';

interface VerifyFlags extends ServerFlags {
  readonly file?: string;
  readonly checkpoints?: string;
  readonly jwks?: string;
  readonly section?: boolean;
}

interface ExportFlags extends ServerFlags {
  readonly format: 'jsonl' | 'csv';
  readonly since?: string;
  readonly until?: string;
  readonly chain?: string;
  readonly kind?: string;
  readonly out?: string;
  readonly checkpoints?: string;
  readonly jwks?: string;
}

interface ShowFlags extends ServerFlags {
  readonly chain?: string;
  readonly limit: string;
}

const FINDINGS_SHOWN_MAX = 100;

/** `npx evergrant audit`: the audit log and the proof of its integrity. */
export function addAuditCommands(program: Command, openServer: OpenServer): void {
  const audit = program.command('audit').description('verify, export and show the audit log');
  withServerOptions(audit.command('verify'))
    .description('find events that were changed, removed, moved or cut off; exit code 1 if there are any')
    .option('--file <export.jsonl>', 'verify this export without a server')
    .option('--checkpoints <file>', 'with --file: the checkpoints of `audit export --checkpoints`')
    .option('--jwks <file>', 'public keys of the license servers; with a server: keys that it no longer publishes')
    .option('--section', 'with --file: the export is a part of the log (--since, --until)')
    .action(async (_options: unknown, command: Command) => verify(openServer, command.optsWithGlobals<VerifyFlags>()));
  withServerOptions(audit.command('export'))
    .description('export the log as JSON Lines, which can be verified, or as CSV for spreadsheets')
    .addOption(new Option('--format <format>', 'output format').choices(['jsonl', 'csv']).default('jsonl'))
    .option('--since <instant>', 'only events at or after this time, ISO 8601')
    .option('--until <instant>', 'only events before this time')
    .option('--chain <name>', 'only this chain: system, or pool/7')
    .option('--kind <kind>', 'only events of this kind')
    .option('--out <file>', 'write to this file instead of standard output')
    .option('--checkpoints <file>', 'write the checkpoints that prove the export to this file')
    .option('--jwks <file>', 'write the public keys to this file')
    .action(async (_options: unknown, command: Command) =>
      exportLog(openServer, command.optsWithGlobals<ExportFlags>()),
    );
  withServerOptions(audit.command('show'))
    .description('list the chains with their event counts, or the newest events of one chain')
    .option('--chain <name>', 'system, or pool/7')
    .option('--limit <count>', 'number of events', '40')
    .action(async (_options: unknown, command: Command) => show(openServer, command.optsWithGlobals<ShowFlags>()));
}

async function verify(openServer: OpenServer, flags: VerifyFlags): Promise<void> {
  const output = createOutput(flags.json === true);
  const outcome = await outcomeOf(openServer, flags, output);
  const { findings, summary } = outcome;
  output.document({ intact: summary.findings === 0, findings, summary });
  printOutcome(outcome, output);
  if (summary.findings > 0) process.exitCode = EXIT.refused;
}

async function outcomeOf(openServer: OpenServer, flags: VerifyFlags, output: Output): Promise<VerificationOutcome> {
  const { file, checkpoints, jwks, section = false } = flags;
  if (file === undefined) {
    if (checkpoints !== undefined || section) throw usageError('usage', '--checkpoints and --section require --file.');
    return verifyServer(new ServerLog(openServer(flags)), jwks, output);
  }
  if (checkpoints === undefined || jwks === undefined) {
    throw usageError('usage', 'Verifying an export requires --checkpoints FILE and --jwks FILE.');
  }
  return verifyFiles({ file, checkpoints, jwks, section }, output);
}

function printOutcome({ findings, summary }: VerificationOutcome, output: Output): void {
  for (const { code, text } of findings.slice(0, FINDINGS_SHOWN_MAX)) {
    output.line(`${pc.red(code)}  ${text}`);
    output.line(`  ${pc.dim(`means: ${FINDING_MEANINGS[code]}`)}`);
  }
  const more = summary.findings - Math.min(findings.length, FINDINGS_SHOWN_MAX);
  if (more > 0) output.line(`… and ${more} more`);
  for (const { chain, epoch, lastSeq, checkpointSeq } of summary.declaredLosses) {
    const events =
      lastSeq + 1 === checkpointSeq ? `event ${checkpointSeq}` : `events ${lastSeq + 1} to ${checkpointSeq}`;
    output.line(
      `${pc.yellow('declared loss')}  ${chain}: ${events} of epoch ${epoch} were lost with a region; the log declares the loss`,
    );
  }
  for (const { epoch, since } of summary.unknownTails) {
    const text = `events of epoch ${epoch} after ${since} may have been lost with a region, without a checkpoint of them`;
    output.line(`${pc.yellow('unknown tail')}  ${text}`);
  }
  for (const { chain, firstSeq, lastSeq, since } of summary.unproven) {
    output.line(pc.dim(`${chain}: events ${firstSeq} to ${lastSeq}, since ${since}, have no checkpoint yet`));
  }
  const counted = `${summary.events} events in ${summary.chains} chains, ${summary.statements} signed statements`;
  output.line(
    summary.findings === 0
      ? pc.green(`No changes found: ${counted}.`)
      : pc.red(`${summary.findings} findings: ${counted}.`),
  );
}

async function exportLog(openServer: OpenServer, flags: ExportFlags): Promise<void> {
  const log = new ServerLog(openServer(flags));
  // The heads are read before the events, so the export contains every event that the statements cover.
  const { heads } = await log.heads();
  if (flags.jwks !== undefined) await writeStream(flags.jwks, [JSON.stringify(await log.jwks(), null, 2), '\n']);
  if (flags.checkpoints !== undefined) {
    await writeStream(flags.checkpoints, linesOf(statementsOfChain(log.statements(heads), flags.chain)));
  }
  const { chain, kind, since, until } = flags;
  const events = log.events({ chain, kind, since, until });
  const stream = flags.format === 'csv' ? toCsv(events) : toJsonLines(events);
  await pipeline(stream, flags.out === undefined ? process.stdout : openNewFile(flags.out), {
    end: flags.out !== undefined,
  });
}

async function* statementsOfChain<T extends { readonly chain: string }>(
  all: AsyncIterable<T>,
  chain: string | undefined,
) {
  for await (const one of all) if (chain === undefined || one.chain === chain) yield one;
}

async function* linesOf(statements: AsyncIterable<object>): AsyncGenerator<string> {
  for await (const statement of statements) yield `${JSON.stringify(statement)}\n`;
}

function writeStream(file: string, content: Iterable<string> | AsyncIterable<string>): Promise<void> {
  return pipeline(content, openNewFile(file));
}

async function show(openServer: OpenServer, flags: ShowFlags): Promise<void> {
  const limit = Number(flags.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 5_000)
    throw usageError('usage', `--limit ${flags.limit}: must be an integer from 1 to 5000.`);
  const output = createOutput(flags.json === true);
  const log = new ServerLog(openServer(flags));
  const { heads } = await log.heads();
  const head = heads.find(({ chain }) => chain === flags.chain);
  if (flags.chain === undefined) {
    output.document({ chains: heads });
    output.line(
      table([
        ['chain', 'events', 'pool'],
        ...heads.map(({ chain, seq, product, feature }) => [
          chain,
          String(seq),
          product === null ? '' : `${product}/${feature}`,
        ]),
      ]),
    );
    return;
  }
  if (!head)
    throw new CommandError({ exitCode: EXIT.refused, code: 'no_chain', message: `There is no chain ${flags.chain}.` });
  const events: AuditEvent[] = [];
  const cursor = head.seq > limit ? `${head.chain}:${head.seq - limit}` : undefined;
  for await (const event of log.events({ chain: head.chain, cursor })) events.push(event);
  output.document({ events });
  output.line(table(events.map(row)));
}

function row({ seq, at, kind, actor, body }: AuditEvent): string[] {
  const { lease, holder, seats, seatsTaken, ...rest } = JSON.parse(body) as Record<string, unknown>;
  const what = [
    holder === undefined ? '' : `${holder}`,
    seats === undefined ? '' : `${seats} seats`,
    seatsTaken === undefined ? '' : `${seatsTaken} taken`,
    ...Object.entries(rest).map(
      ([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`,
    ),
  ];
  return [String(seq), at.replace('T', ' ').slice(0, 19), kind, actor, what.filter(Boolean).join(', ').slice(0, 120)];
}
