import { OperatingError } from '@evergrant/core/operating-error';
import { Command, CommanderError } from 'commander';
import pc from 'picocolors';
import { openAwsTarget } from './aws/open-target';
import { addAuditCommands } from './commands/audit';
import { addAutomationCommands } from './commands/automation';
import { addControlRoomCommands } from './commands/control-room';
import { addFailbackCommand } from './commands/failback';
import { addFailoverCommand } from './commands/failover';
import { addHistoryCommand } from './commands/history';
import { addLicenseCommands } from './commands/license/license';
import { addReportCommands } from './commands/report';
import { addReservationCommands } from './commands/reservation';
import { addStatusCommand } from './commands/status';
import { addTokenCommands } from './commands/token';
import { CommandError, EXIT } from './errors';
import { addLocalCommands } from './local/local-command';
import { openLocalTarget } from './local/open-target';
import type { OpenTarget } from './operator-target';

const EXIT_HELP = `
Exit codes:
  0  done            1  refused: the answer is no      2  the command line is wrong
  3  nothing answers: the world, or the part that is needed, does not run
  4  begun, but not ended in time: it may still end (watch it with: npx evergrant status)`;

/** What speaks to the controller works on both targets; the rest is about this machine, or about one server. */
const ON_AWS: ReadonlySet<string> = new Set(['status', 'pause', 'arm', 'failover', 'failback', 'history']);

function checkTarget(target: string, command: Command): void {
  if (target === 'local') return;
  const names = [command.name(), command.parent?.name() ?? ''];
  if (target === 'aws' && names.some((name) => ON_AWS.has(name))) return;
  throw new CommandError({
    exitCode: EXIT.usage,
    code: 'unknown_target',
    message:
      target === 'aws'
        ? `${names[0]} does not work with --target aws; these do: ${[...ON_AWS].join(', ')}.`
        : `There is no target "${target}"; use local or aws.`,
  });
}

function buildProgram(): Command {
  const program = new Command('evergrant')
    .description("Evergrant's operator command")
    .option('--json', 'answer with one JSON document')
    .option('--target <where>', 'local: the world on this machine; aws: the deployed regions', 'local')
    .option('--deployment <name>', 'with --target aws: the name in deployment.config.ts', 'evergrant')
    .addHelpText('after', EXIT_HELP)
    .showHelpAfterError('(npx evergrant --help lists the commands)')
    .exitOverride();
  const target = (): string => program.opts<{ target: string }>().target;
  program.hook('preAction', (_program, command) => checkTarget(target(), command));
  const open: OpenTarget = () =>
    target() === 'aws' ? openAwsTarget(program.opts<{ deployment: string }>()) : openLocalTarget();
  addStatusCommand(program, open);
  addAutomationCommands(program, open);
  addFailoverCommand(program, open);
  addFailbackCommand(program, open);
  addHistoryCommand(program, open);
  addLicenseCommands(program);
  addControlRoomCommands(program);
  addAuditCommands(program);
  addReportCommands(program);
  addTokenCommands(program);
  addReservationCommands(program);
  addLocalCommands(program);
  return program;
}

function showFailure(error: unknown, json: boolean): number {
  // Commander has already printed what is wrong, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const known =
    error instanceof CommandError ? error : error instanceof OperatingError ? unreachable(error) : undefined;
  const message = error instanceof Error ? error.message : String(error);
  if (json) process.stdout.write(`${JSON.stringify({ error: { code: known?.code ?? 'failed', message } }, null, 2)}\n`);
  else process.stderr.write(`${pc.red(message)}\n`);
  return known?.exitCode ?? EXIT.refused;
}

/** The authority store does not answer: without it nothing can be asked of a controller. */
function unreachable({ code, message, cause }: OperatingError): CommandError {
  return new CommandError({ exitCode: EXIT.unreachable, code, message, cause });
}

void buildProgram()
  .parseAsync()
  // A command that has answered and found something wrong says so itself.
  .then(() => (process.exitCode === undefined ? EXIT.ok : Number(process.exitCode)))
  .catch((error: unknown) => showFailure(error, process.argv.includes('--json')))
  .then((code) => {
    process.exitCode = code;
  });
