import { table } from '@evergrant/core/text-table';
import { type Command, InvalidArgumentError } from 'commander';
import { CommandError, EXIT } from '../errors';
import { type OpenServer, type ServerFlags, withServerOptions } from '../license-server-client';
import { createOutput } from '../output';

interface ReservationView {
  readonly licenseId: string;
  readonly product: string;
  readonly feature: string;
  readonly controlRoom: string | null;
  readonly group: string | null;
  readonly seats: number;
  readonly source: string;
}

interface ReserveFlags extends ServerFlags {
  readonly license: string;
  readonly feature: string;
  readonly controlRoom?: string;
  readonly group?: string;
  readonly seats: number;
  readonly reason: string;
}

/** `npx evergrant reservation`: seats for one Control Room or one group. */
export function addReservationCommands(program: Command, openServer: OpenServer): void {
  const reservations = program.command('reservation').description('reserve seats for one Control Room or one group');
  withServerOptions(reservations.command('list'))
    .description('list reservations of licenses and administrators')
    .action(async (_options: unknown, command: Command) => list(openServer, command.optsWithGlobals<ServerFlags>()));
  withServerOptions(reservations.command('set'))
    .description('reserve seats; 0 removes the reservation')
    .requiredOption('--license <id>', 'license id')
    .requiredOption('--feature <name>', 'feature of the entitlement')
    .option('--control-room <guid>', 'reserve for this Control Room')
    .option('--group <name>', 'reserve for the Control Rooms of this group together')
    .requiredOption('--seats <count>', 'number of seats', seatCount)
    .requiredOption('--reason <text>', 'recorded in the audit log')
    .action(async (_options: unknown, command: Command) => set(openServer, command.optsWithGlobals<ReserveFlags>()));
}

function seatCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Give an integer from 0.');
  return Number(text);
}

async function list(openServer: OpenServer, flags: ServerFlags): Promise<void> {
  const output = createOutput(flags.json === true);
  const answer = await openServer(flags).call<{ reservations: ReservationView[] }>('GET', '/v1/reservations');
  output.document(answer);
  output.line(
    table([
      ['license', 'entitlement', 'for', 'seats', 'by'],
      ...answer.reservations.map(({ licenseId, product, feature, controlRoom, group, seats, source }) => [
        licenseId,
        `${product}/${feature}`,
        controlRoom ?? `group ${group}`,
        String(seats),
        source.replaceAll('_', ' '),
      ]),
    ]),
  );
}

async function set(openServer: OpenServer, flags: ReserveFlags): Promise<void> {
  const { license: licenseId, feature, controlRoom, group, seats, reason } = flags;
  if ((controlRoom === undefined) === (group === undefined)) {
    throw new CommandError({
      exitCode: EXIT.usage,
      code: 'whom_for',
      message: 'Set --control-room GUID or --group NAME.',
    });
  }
  const output = createOutput(flags.json === true);
  const holder = controlRoom === undefined ? { group } : { controlRoom };
  const answer = await openServer(flags).call<{ seatsReserved: number }>('PUT', '/v1/reservations', {
    licenseId,
    feature,
    ...holder,
    seats,
    reason,
  });
  output.document(answer);
  output.line(
    `${seats} seats of ${feature} are reserved for ${controlRoom ?? `group ${group}`}; ${answer.seatsReserved} in all.`,
  );
}
