import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { table } from '@evergrant/core/text-table';
import { isGuid } from '@evergrant/formats/license/license-key';
import {
  readOfflineRequest,
  readOfflineReturn,
  writeOfflineRequest,
  writeOfflineReturn,
} from '@evergrant/formats/offline/documents';
import { type OfflineLease, verifyOfflineReceipt, verifyOfflineResponse } from '@evergrant/formats/offline/signed';
import { type Command, InvalidArgumentError } from 'commander';
import { CommandError, EXIT } from '../errors';
import { readKeySet, readText, unusableFile, writeNewFile } from '../files';
import { type OpenServer, type ServerFlags, withServerOptions } from '../license-server-client';
import { createOutput, type Output } from '../output';
import { durationOption } from '../parse-duration';

interface Wanted {
  readonly feature: string;
  readonly seats: number;
}

interface RequestFlags {
  readonly json?: boolean;
  readonly controlRoom: string;
  readonly name: string;
  readonly want: readonly Wanted[];
  readonly for: number;
  readonly out: string;
}

interface FileFlags extends ServerFlags {
  readonly out: string;
  readonly keys: string;
  readonly controlRoom: string;
  readonly request?: string;
}

/** What is done beside the offline Control Room needs no network; what an administrator does needs a license server. */
export function addOfflineCommands(rooms: Command, openServer: OpenServer): void {
  addControlRoomCommands(rooms);
  addAdministratorCommands(rooms, openServer);
}

function addControlRoomCommands(rooms: Command): void {
  rooms
    .command('offline-request')
    .description('offline, 1: ask for seats, in a file for the administrator')
    .requiredOption('--control-room <guid>', 'the Control Room that they are for', guidOption)
    .requiredOption('--name <name>', 'what the Control Room is called')
    .requiredOption('--want <feature=seats>', 'what it needs; may be given several times', entitlementOption)
    .requiredOption('--for <duration>', 'for how long: 90d, 12h', durationOption)
    .requiredOption('--out <file>', 'where the request goes')
    .action((_options: unknown, command: Command) => request(command.optsWithGlobals<RequestFlags>()));
  withPinnedKeys(rooms.command('offline-verify <response>'))
    .description('offline, 3: verify what the administrator brought back')
    .requiredOption('--control-room <guid>', 'the Control Room that it is for', guidOption)
    .option('--request <file>', 'the request that it answers')
    .action((response: string, _options: unknown, command: Command) =>
      verify(response, command.optsWithGlobals<FileFlags>()),
    );
  withPinnedKeys(rooms.command('offline-return <response>'))
    .description('offline, 4: give everything back; the response is deleted')
    .requiredOption('--control-room <guid>', 'the Control Room that had it', guidOption)
    .requiredOption('--out <file>', 'where the return goes')
    .action((response: string, _options: unknown, command: Command) =>
      giveBack(response, command.optsWithGlobals<FileFlags>()),
    );
  withPinnedKeys(rooms.command('offline-receipt <receipt>'))
    .description('offline, 6: verify the receipt of a return')
    .action((receipt: string, _options: unknown, command: Command) =>
      verifyReceipt(receipt, command.optsWithGlobals<FileFlags>()),
    );
}

function addAdministratorCommands(rooms: Command, openServer: OpenServer): void {
  const carry = (name: string, description: string, exchange: Exchange): void => {
    withServerOptions(rooms.command(`${name} <file>`))
      .description(description)
      .requiredOption('--out <file>', 'where the answer goes')
      .action((file: string, _options: unknown, command: Command) =>
        carryToServer(openServer, file, command.optsWithGlobals<FileFlags>(), exchange),
      );
  };
  carry('offline-respond', 'offline, 2: take a request to the license servers, for an administrator', {
    path: 'offline-response',
    roomOf: (text) => controlRoomOf(readOfflineRequest(text)),
    says: 'The response is in',
  });
  carry('offline-take-back', 'offline, 5: take a return to the license servers, for an administrator', {
    path: 'offline-return',
    roomOf: (text) => controlRoomOf(readOfflineReturn(text)),
    says: 'The seats are free again; the receipt is in',
  });
}

interface Exchange {
  readonly path: string;
  readonly roomOf: (text: string) => string;
  readonly says: string;
}

function withPinnedKeys(command: Command): Command {
  return command.requiredOption(
    '--keys <file>',
    "the license servers' public keys, saved from /.well-known/jwks.json while there was a network",
  );
}

function guidOption(text: string): string {
  if (!isGuid(text)) throw new InvalidArgumentError('a GUID');
  return text.trim().toLowerCase();
}

function entitlementOption(text: string, before: readonly Wanted[] = []): readonly Wanted[] {
  const [, feature = '', seats = ''] = /^(.{1,200})=(\d{1,9})$/.exec(text) ?? [];
  if (feature === '' || Number(seats) < 1) throw new InvalidArgumentError('a feature and its seats: studio=3');
  return [...before, { feature, seats: Number(seats) }];
}

function request({ controlRoom, name, want, for: durationSeconds, out, json }: RequestFlags): void {
  const output = createOutput(json === true);
  const nonce = randomUUID();
  const file = writeOfflineRequest({ version: 1, controlRoom, nonce, name, wanted: [...want], durationSeconds });
  // What is written has to be readable: everything wrong with it is said here, not at the administrator's desk.
  const read = readOfflineRequest(file);
  if (read.kind === 'unreadable') throw unusable('The request', read.reason);
  writeNewFile(out, file);
  output.document({ nonce, file: out });
  output.line(
    `The request is in ${out}. An administrator carries it: npx evergrant control-room offline-respond ${out}`,
  );
}

async function verify(path: string, { controlRoom, request: requestPath, keys, json }: FileFlags): Promise<void> {
  const output = createOutput(json === true);
  const asked = requestPath === undefined ? undefined : readOfflineRequest(readText(requestPath));
  if (asked?.kind === 'unreadable') throw unusable(requestPath ?? '', asked.reason);
  const nonce = asked?.document.nonce;
  const { leases } = await verified(path, { keys, controlRoom, nonce });
  output.document({ controlRoom, leases });
  show(leases, output);
}

async function verified(path: string, how: { keys: string; controlRoom: string; nonce?: string | undefined }) {
  const { controlRoom, nonce } = how;
  const context = { keys: readKeySet(how.keys), controlRoom, nonce, nowMs: Date.now() };
  const verdict = await verifyOfflineResponse(readText(path), context);
  if (verdict.kind === 'valid') return verdict;
  if (verdict.kind === 'unreadable') throw unusable(path, verdict.reason);
  throw new CommandError({ exitCode: EXIT.refused, code: verdict.code, message: `${path}: ${verdict.reason}.` });
}

function show(leases: readonly OfflineLease[], output: Output): void {
  output.line(
    table([
      ['entitlement', 'seats', 'until'],
      ...leases.map(({ product, feature, seats, expiresAtMs }) => [
        `${product}/${feature}`,
        String(seats),
        new Date(expiresAtMs).toISOString(),
      ]),
    ]),
  );
}

async function giveBack(path: string, { controlRoom, keys, out, json }: FileFlags): Promise<void> {
  const output = createOutput(json === true);
  const { response, sha256 } = await verified(path, { keys, controlRoom });
  writeNewFile(out, writeOfflineReturn({ version: 1, controlRoom, nonce: response.nonce, responseSha256: sha256 }));
  // What was given back is not here any more.
  rmSync(path);
  output.document({ nonce: response.nonce, file: out });
  output.line(
    `The return is in ${out}, and ${path} is deleted. An administrator carries it: npx evergrant control-room offline-take-back ${out}`,
  );
}

async function verifyReceipt(path: string, { keys, json }: FileFlags): Promise<void> {
  const output = createOutput(json === true);
  const verdict = await verifyOfflineReceipt(readText(path), readKeySet(keys));
  if (verdict.kind === 'unreadable') throw unusable(path, verdict.reason);
  if (verdict.kind === 'refused') {
    throw new CommandError({ exitCode: EXIT.refused, code: verdict.code, message: `${path}: ${verdict.reason}.` });
  }
  output.document(verdict.receipt);
  output.line(`${verdict.receipt.leases.length} leases were given back.`);
}

async function carryToServer(
  openServer: OpenServer,
  path: string,
  flags: FileFlags,
  exchange: Exchange,
): Promise<void> {
  const output = createOutput(flags.json === true);
  const text = readText(path);
  const room = exchange.roomOf(text);
  const answer = await openServer(flags).postText<string>(`/v1/control-rooms/${room}/${exchange.path}`, text);
  writeNewFile(flags.out, answer);
  output.document({ controlRoom: room, file: flags.out });
  output.line(`${exchange.says} ${flags.out}.`);
}

function controlRoomOf(
  file: { kind: 'read'; document: { controlRoom: string } } | { kind: 'unreadable'; reason: string },
): string {
  if (file.kind === 'unreadable') throw unusable('The file', file.reason);
  return file.document.controlRoom;
}

function unusable(what: string, reason: string): CommandError {
  return unusableFile(`${what}: ${reason}.`);
}
