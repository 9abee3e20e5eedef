import { Command } from 'commander';
import manifest from '../package.json';
import { addAuditCommands } from './commands/audit';
import { addAutomationCommands } from './commands/automation';
import { addControlRoomCommands } from './commands/control-room';
import { addFailbackCommand } from './commands/failback';
import { addFailoverCommand, addPairCommands } from './commands/failover';
import { addHistoryCommand } from './commands/history';
import { addLicenseCommands } from './commands/license/license';
import { addReportCommands } from './commands/report';
import { addReservationCommands } from './commands/reservation';
import { addStatusCommand } from './commands/status';
import { addTokenCommands } from './commands/token';
import { CommandError, EXIT } from './errors';
import { LicenseServerClient, type OpenServer } from './license-server-client';
import type { CommandContribution, Target } from './target';
import { selectTarget } from './target-selection';

const EXIT_HELP = `
Exit codes:
  0  done
  1  rejected: the server, the controller or the verification answered no
  2  invalid command line
  3  unreachable: the target, or the part of it that the command needs, does not run
  4  timed out: the operation may still complete (watch it with: npx evergrant status)`;

/** Commands that act through the controller's stores. The others need a license server or files. */
const CONTROLLER_COMMANDS: ReadonlySet<string> = new Set([
  'status',
  'pause',
  'arm',
  'failover',
  'switchover',
  'rejoin',
  'failback',
  'history',
]);

interface ProgramOptions {
  readonly target?: string;
  readonly deployment: string;
}

/** Builds the command tree, with the targets and commands of all contributions. */
export function buildProgram(contributions: readonly CommandContribution[], environment = process.env): Command {
  const providers = contributions.flatMap(({ target }) => target ?? []);
  const program = new Command('evergrant')
    .description("Evergrant's operator command")
    .version(manifest.version, '--version', 'print the version')
    .option('--json', 'print one JSON document')
    .option(
      '--target <name>',
      `${providers.map(({ name, description }) => `${name}: ${description}`).join('; ')} (default: EVERGRANT_TARGET)`,
    )
    .option('--deployment <name>', 'with --target aws: the name in deployment.config.ts', 'evergrant')
    .addHelpText('after', EXIT_HELP)
    .showHelpAfterError('(npx evergrant --help lists the commands)')
    .exitOverride();
  const target = (): Target => {
    const { target: option, deployment } = program.opts<ProgramOptions>();
    return selectTarget({ providers, option, environment }).open({ deployment });
  };
  program.hook('preAction', (_program, command) => {
    const { target: option } = program.opts<ProgramOptions>();
    if (option === undefined) return;
    selectTarget({ providers, option, environment });
    if (option === 'aws') checkAwsCommand(command);
  });
  const openController = async () => target().openController();
  const openServer: OpenServer = (flags) => LicenseServerClient.open(flags, { environment, target });
  addStatusCommand(program, target);
  addAutomationCommands(program, openController);
  addFailoverCommand(program, openController);
  addPairCommands(program, openController);
  addFailbackCommand(program, openController);
  addHistoryCommand(program, openController);
  addLicenseCommands(program, openServer);
  addControlRoomCommands(program, openServer);
  addAuditCommands(program, openServer);
  addReportCommands(program, openServer);
  addTokenCommands(program, openServer);
  addReservationCommands(program, openServer);
  for (const contribution of contributions) contribution.addCommands?.(program);
  return program;
}

function checkAwsCommand(command: Command): void {
  const names = [command.name(), command.parent?.name() ?? ''];
  if (names.some((name) => CONTROLLER_COMMANDS.has(name))) return;
  throw new CommandError({
    exitCode: EXIT.usage,
    code: 'unknown_target',
    message: `${names[0]} does not work with --target aws. Commands that do: ${[...CONTROLLER_COMMANDS].join(', ')}.`,
  });
}
