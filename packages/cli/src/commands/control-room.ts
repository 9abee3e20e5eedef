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

/** `npx evergrant control-room`: customer installations. */
export function addControlRoomCommands(program: Command, openServer: OpenServer): void {
  const rooms = program.command('control-room').description('list, recover and group Control Rooms');
  withServerOptions(rooms.command('list'))
    .description('list Control Rooms and their seats')
    .option('--license <id>', 'only Control Rooms of this license')
    .option('--group <name>', 'only Control Rooms of this group')
    .option('--state <state>', 'only Control Rooms in this state: active, fail_safe or suspended')
    .action(async (_options: unknown, command: Command) => list(openServer, command.optsWithGlobals<ListFlags>()));
  withServerOptions(rooms.command('show <guid>'))
    .description('show one Control Room')
    .action(async (guid: string, _options: unknown, command: Command) =>
      show(openServer, guid, command.optsWithGlobals<ServerFlags>()),
    );
  withServerOptions(rooms.command('recover <guid>'))
    .description('recover a destroyed Control Room: revoke its tokens and allow one more registration of its GUID')
    .requiredOption('--reason <text>', 'recorded in the audit log')
    .option('--open-for <seconds>', 'time in which the registration is allowed', '3600')
    .option('--yes', 'skip the confirmation')
    .action(async (guid: string, _options: unknown, command: Command) =>
      recover(openServer, guid, command.optsWithGlobals<ChangeFlags>()),
    );
  withServerOptions(rooms.command('group <guid> [group]'))
    .description('assign a Control Room to a group; without a name, remove it from its group')
    .requiredOption('--reason <text>', 'recorded in the audit log')
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
      ['guid', 'name', 'group', 'license', 'state', 'last heartbeat', 'seats'],
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
      ['last heartbeat', room.lastHeartbeatAt],
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
    `This revokes every token of ${room.name} (${room.controlRoom}). If that Control Room still runs, it stops working.`,
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
    `${opened.tokensRevoked} tokens are revoked. The Control Room may register once more until ` +
      `${opened.recoverableUntil}, with the license key.`,
  );
}

async function move(openServer: OpenServer, guid: string, group: string | null, flags: ChangeFlags): Promise<void> {
  const output = createOutput(flags.json === true);
  await openServer(flags).call('PUT', `${path(guid)}/group`, { group, reason: flags.reason });
  output.document({ controlRoom: guid, group });
  output.line(group === null ? 'The Control Room is in no group.' : `The Control Room is in the group "${group}".`);
}
