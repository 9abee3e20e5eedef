import { Command, CommanderError } from 'commander';
import pc from 'picocolors';
import { OperatingError } from '../lambda/failover/ports';
import { addAuditCommands } from './commands/audit';
import { addAutomationCommands } from './commands/automation';
import { addControlRoomCommands } from './commands/control-room';
import { addFailbackCommand } from './commands/failback';
import { addFailoverCommand } from './commands/failover';
import { addHistoryCommand } from './commands/history';
import { addLicenseCommands } from './commands/license/license';
import { addLocalCommands } from './commands/local';
import { addReportCommands } from './commands/report';
import { addReservationCommands } from './commands/reservation';
import { addStatusCommand } from './commands/status';
import { addTokenCommands } from './commands/token';
import { CommandError, EXIT } from './errors';
import { openLocalTarget } from './local/open-target';

const EXIT_HELP = `
Exit codes:
  0  done            1  refused: the answer is no      2  the command line is wrong
  3  nothing answers: the world, or the part that is needed, does not run
  4  begun, but not ended in time: it may still end (watch it with: npx evergrant status)`;

function buildProgram(): Command {
  const program = new Command('evergrant')
    .description("Evergrant's operator command")
    .option('--json', 'answer with one JSON document')
    .option('--target <where>', 'local: the world on this machine; aws: the deployed regions', 'local')
    .addHelpText('after', EXIT_HELP)
    .showHelpAfterError('(npx evergrant --help lists the commands)')
    .exitOverride();
  program.hook('preAction', (command) => {
    const { target } = command.optsWithGlobals<{ target: string }>();
    if (target === 'local') return;
    throw new CommandError({
      exitCode: EXIT.usage,
      code: 'unknown_target',
      message:
        target === 'aws'
          ? 'The target aws is not there yet: only --target local works today.'
          : `There is no target "${target}"; use local.`,
    });
  });
  addStatusCommand(program);
  addAutomationCommands(program, openLocalTarget);
  addFailoverCommand(program, openLocalTarget);
  addFailbackCommand(program, openLocalTarget);
  addHistoryCommand(program, openLocalTarget);
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
