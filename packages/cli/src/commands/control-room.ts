import { table } from '@evergrant/core/text-table';
import type { Command } from 'commander';
import { type OpenServer, type ServerFlags, withServerOptions } from '../license-server-client';
import { createOutput, type Output } from '../output';
import { confirmTyped } from './confirmation';
import { addOfflineCommands } from './offline';

interface RoomView {
  readonly controlRoom: string;
  readonly licenseId: string;
  readonly name: string;
  readonly group: string | null;
  readonly state: string;
  readonly stateSince: string;
  readonly stateBecause: string;
  readonly registeredAt: string;
  readonly lastHeartbeatAt: string;
  readonly recoverableUntil: string | null;
  readonly use: readonly { readonly product: string; readonly feature: string; readonly seatsTaken: number }[];
}

interface ListFlags extends ServerFlags {
  readonly license?: string;
  readonly group?: string;
  readonly state?: string;
}

interface ChangeFlags extends ServerFlags {
  readonly reason: string;
  readonly openFor?: string;
  readonly yes?: boolean;
}

/** `npx evergrant control-room`: the installations of the customers. */
export function addControlRoomCommands(program: Command, openServer: OpenServer): void {
  const rooms = program.command('control-room').description('Control Rooms: who there is, recovery, groups');
  withServerOptions(rooms.command('list'))
    .description('Control Rooms and what they use')
    .option('--license <id>', 'only those of this license')
    .option('--group <name>', 'only those of this group')
    .option('--state <state>', 'only those that are active, fail_safe or suspended')
    .action(async (_options: unknown, command: Command) => list(openServer, command.optsWithGlobals<ListFlags>()));
  withServerOptions(rooms.command('show <guid>'))
    .description('one Control Room')
    .action(async (guid: string, _options: unknown, command: Command) =>
      show(openServer, guid, command.optsWithGlobals<ServerFlags>()),
    );
  withServerOptions(rooms.command('recover <guid>'))
    .description('a Control Room was destroyed: revoke its tokens and let its GUID register once more')
    .requiredOption('--reason <text>', 'kept for the audit')
    .option('--open-for <seconds>', 'how long the registration is open', '3600')
    .option('--yes', 'do not ask')
    .action(async (guid: string, _options: unknown, command: Command) =>
      recover(openServer, guid, command.optsWithGlobals<ChangeFlags>()),
    );
  withServerOptions(rooms.command('group <guid> [group]'))
    .description('put a Control Room into a group; without a name, take it out of its group')
    .requiredOption('--reason <text>', 'kept for the audit')
    .action(async (guid: string, group: string | undefined, _options: unknown, command: Command) =>
      move(openServer, guid, group ?? null, command.optsWithGlobals<ChangeFlags>()),
    );
  addOfflineCommands(rooms, openServer);
}

const path = (guid: string): string => `/v1/control-rooms/${encodeURIComponent(guid)}`;

async function list(openServer: OpenServer, flags: ListFlags): Promise<void> {
  const output = createOutput(flags.json === true);
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ licenseId: flags.license, group: flags.group, state: flags.state })) {
    if (value !== undefined) query.set(name, value);
  }
  const controlRooms = await openServer(flags).listAll<RoomView>(
    `/v1/control-rooms?${query.toString()}`,
    'controlRooms',
  );
  output.document({ controlRooms });
  output.line(
    table([
      ['guid', 'name', 'group', 'license', 'state', 'last heard', 'seats'],
      ...controlRooms.map((room) => [
        room.controlRoom,
        room.name,
        room.group ?? '-',
        room.licenseId,
        room.state,
        room.lastHeartbeatAt,
        String(room.use.reduce((sum, { seatsTaken }) => sum + seatsTaken, 0)),
      ]),
    ]),
  );
}

async function show(openServer: OpenServer, guid: string, flags: ServerFlags): Promise<void> {
  const output = createOutput(flags.json === true);
  const room = await openServer(flags).call<RoomView>('GET', path(guid));
  output.document(room);
  if (!output.json) printRoom(room, output);
}

function printRoom(room: RoomView, output: Output): void {
  output.line(
    table([
      ['guid', room.controlRoom],
      ['name', room.name],
      ['group', room.group ?? '-'],
      ['license', room.licenseId],
      ['state', `${room.state} since ${room.stateSince} (${room.stateBecause.replaceAll('_', ' ')})`],
      ['registered', room.registeredAt],
      ['last heard', room.lastHeartbeatAt],
      ...(room.recoverableUntil ? [['may register', `once more until ${room.recoverableUntil}`]] : []),
      ...room.use.map(({ product, feature, seatsTaken }) => ['uses', `${seatsTaken} of ${product}/${feature}`]),
    ]),
  );
}

async function recover(openServer: OpenServer, guid: string, flags: ChangeFlags): Promise<void> {
  const output = createOutput(flags.json === true);
  const server = openServer(flags);
  const room = await server.call<RoomView>('GET', path(guid));
  await confirmTyped(
    'recover',
    `Every token of ${room.name} (${room.controlRoom}) is revoked: if that Control Room still runs, it stops working.`,
    flags.yes === true,
  );
  const opened = await server.call<{ recoverableUntil: string; tokensRevoked: number }>(
    'POST',
    `${path(guid)}/recovery`,
    {
      reason: flags.reason,
      openForSeconds: Number(flags.openFor),
    },
  );
  output.document(opened);
  output.line(
    `${opened.tokensRevoked} tokens are revoked. It may register once more until ${opened.recoverableUntil}, ` +
      'with the license key.',
  );
}

async function move(openServer: OpenServer, guid: string, group: string | null, flags: ChangeFlags): Promise<void> {
  const output = createOutput(flags.json === true);
  await openServer(flags).call('PUT', `${path(guid)}/group`, { group, reason: flags.reason });
  output.document({ controlRoom: guid, group });
  output.line(group === null ? 'It is in no group now.' : `It is in the group "${group}" now.`);
}
