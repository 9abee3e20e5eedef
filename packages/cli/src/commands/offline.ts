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

interface RequestedSeats {
  readonly feature: string;
  readonly seats: number;
}

interface RequestFlags {
  readonly json?: boolean;
  readonly controlRoom: string;
  readonly name: string;
  readonly want: readonly RequestedSeats[];
  readonly for: number;
  readonly out: string;
}

interface FileFlags extends ServerFlags {
  readonly out: string;
  readonly keys: string;
  readonly controlRoom: string;
  readonly request?: string;
}

/** Steps at the offline Control Room need no network. Steps of the administrator need a license server. */
export function addOfflineCommands(rooms: Command, openServer: OpenServer): void {
  addControlRoomCommands(rooms);
  addAdministratorCommands(rooms, openServer);
}

function addControlRoomCommands(rooms: Command): void {
  rooms
    .command('offline-request')
    .description('offline, step 1: write a request for seats')
    .requiredOption('--control-room <guid>', 'the Control Room that needs the seats', guidOption)
    .requiredOption('--name <name>', 'name of the Control Room')
    .requiredOption('--want <feature=seats>', 'seats of a feature; may be repeated', entitlementOption)
    .requiredOption('--for <duration>', 'duration: 90d, 12h', durationOption)
    .requiredOption('--out <file>', 'file for the request')
    .action((_options: unknown, command: Command) => request(command.optsWithGlobals<RequestFlags>()));
  withPinnedKeys(rooms.command('offline-verify <response>'))
    .description('offline, step 3: verify the response of the license servers')
    .requiredOption('--control-room <guid>', 'the Control Room of the response', guidOption)
    .option('--request <file>', 'the request of the response')
    .action((response: string, _options: unknown, command: Command) =>
      verify(response, command.optsWithGlobals<FileFlags>()),
    );
  withPinnedKeys(rooms.command('offline-return <response>'))
    .description('offline, step 4: return all seats; deletes the response')
    .requiredOption('--control-room <guid>', 'the Control Room of the response', guidOption)
    .requiredOption('--out <file>', 'file for the return')
    .action((response: string, _options: unknown, command: Command) =>
      writeReturn(response, command.optsWithGlobals<FileFlags>()),
    );
  withPinnedKeys(rooms.command('offline-receipt <receipt>'))
    .description('offline, step 6: verify the receipt of a return')
    .action((receipt: string, _options: unknown, command: Command) =>
      verifyReceipt(receipt, command.optsWithGlobals<FileFlags>()),
    );
}

function addAdministratorCommands(rooms: Command, openServer: OpenServer): void {
  const addSubmitCommand = (name: string, description: string, exchange: Exchange): void => {
    withServerOptions(rooms.command(`${name} <file>`))
      .description(description)
      .requiredOption('--out <file>', 'file for the response')
      .action((file: string, _options: unknown, command: Command) =>
        submitToServer(openServer, file, command.optsWithGlobals<FileFlags>(), exchange),
      );
  };
  addSubmitCommand('offline-respond', 'offline, step 2 (administrator): submit a request to a license server', {
    path: 'offline-response',
    roomOf: (text) => controlRoomOf(readOfflineRequest(text)),
    message: 'The response is in',
  });
  addSubmitCommand('offline-take-back', 'offline, step 5 (administrator): submit a return to a license server', {
    path: 'offline-return',
    roomOf: (text) => controlRoomOf(readOfflineReturn(text)),
    message: 'The seats are free again. The receipt is in',
  });
}

interface Exchange {
  readonly path: string;
  readonly roomOf: (text: string) => string;
  readonly message: string;
}

function withPinnedKeys(command: Command): Command {
  return command.requiredOption(
    '--keys <file>',
    'public keys of the license servers, saved from /.well-known/jwks.json',
  );
}

function guidOption(text: string): string {
  if (!isGuid(text)) throw new InvalidArgumentError('Give a GUID.');
  return text.trim().toLowerCase();
}

function entitlementOption(text: string, before: readonly RequestedSeats[] = []): readonly RequestedSeats[] {
  const [, feature = '', seats = ''] = /^(.{1,200})=(\d{1,9})$/.exec(text) ?? [];
  if (feature === '' || Number(seats) < 1) throw new InvalidArgumentError('Give a feature and its seats: studio=3.');
  return [...before, { feature, seats: Number(seats) }];
}

function request({ controlRoom, name, want, for: durationSeconds, out, json }: RequestFlags): void {
  const output = createOutput(json === true);
  const nonce = randomUUID();
  const file = writeOfflineRequest({ version: 1, controlRoom, nonce, name, wanted: [...want], durationSeconds });
  // Reading the request back finds every error before the file is delivered.
  const read = readOfflineRequest(file);
  if (read.kind === 'unreadable') throw unusable('The request', read.reason);
  writeNewFile(out, file);
  output.document({ nonce, file: out });
  output.line(
    `The request is in ${out}. Next, an administrator runs: npx evergrant control-room offline-respond ${out}`,
  );
}

async function verify(path: string, { controlRoom, request: requestPath, keys, json }: FileFlags): Promise<void> {
  const output = createOutput(json === true);
  const original = requestPath === undefined ? undefined : readOfflineRequest(readText(requestPath));
  if (original?.kind === 'unreadable') throw unusable(requestPath ?? '', original.reason);
  const nonce = original?.document.nonce;
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

async function writeReturn(path: string, { controlRoom, keys, out, json }: FileFlags): Promise<void> {
  const output = createOutput(json === true);
  const { response, sha256 } = await verified(path, { keys, controlRoom });
  writeNewFile(out, writeOfflineReturn({ version: 1, controlRoom, nonce: response.nonce, responseSha256: sha256 }));
  // Returned seats must not stay usable.
  rmSync(path);
  output.document({ nonce: response.nonce, file: out });
  output.line(
    `The return is in ${out}, and ${path} is deleted. Next, an administrator runs: npx evergrant control-room offline-take-back ${out}`,
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
  output.line(`${verdict.receipt.leases.length} leases were returned.`);
}

async function submitToServer(
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
  output.line(`${exchange.message} ${flags.out}.`);
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
