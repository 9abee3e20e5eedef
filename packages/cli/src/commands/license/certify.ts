import { certificateFile, certify } from '@evergrant/formats/license/certificate';
import type { Command } from 'commander';
import { usageError } from '../../errors';
import { writeNewFile } from '../../files';
import { createOutput } from '../../output';
import { parseDate } from '../../parse-date';
import { readPrivateKeyFile, readPublicKeyFile } from './key-files';

interface Flags {
  readonly json?: boolean;
  readonly root: string;
  readonly key: string;
  readonly validFrom?: string;
  readonly validUntil: string;
  readonly out: string;
}

const HELP = `
License files signed with the key can be imported while its certificate is valid. Imported licenses stay valid afterwards.
To change keys, certify the next key while the old certificate is still valid: both keys are accepted in that time.`;

/** `npx evergrant license certify`: certifies a vendor key with a root key. */
export function addCertifyCommand(license: Command): void {
  license
    .command('certify')
    .description('certify a vendor key with a root key')
    .requiredOption('--root <file>', 'the private key of the root')
    .requiredOption('--key <file>', 'the public key of the vendor')
    .option('--valid-from <when>', 'a date or instant (default: now)')
    .requiredOption('--valid-until <when>', 'a date, an instant, or days from now: 365d')
    .requiredOption('--out <file>', 'file for the certificate')
    .addHelpText('after', HELP)
    .action(async (_options: unknown, command: Command) => run(command.optsWithGlobals<Flags>()));
}

async function run(flags: Flags): Promise<void> {
  const output = createOutput(flags.json === true);
  const root = await readPrivateKeyFile(flags.root, 'root');
  const key = await readPublicKeyFile(flags.key, 'vendor');
  const nowMs = Date.now();
  const validFrom = parseDate('--valid-from', flags.validFrom ?? '0d', nowMs);
  const validUntil = parseDate('--valid-until', flags.validUntil, nowMs);
  if (validUntil <= validFrom)
    throw usageError('never_valid', `--valid-until (${validUntil}) must be after ${validFrom}.`);
  writeNewFile(flags.out, certificateFile(await certify({ root, key, validFrom, validUntil })));
  output.document({ key: key.kid, signedBy: root.kid, validFrom, validUntil, file: flags.out });
  output.line(`The vendor key ${key.kid} may sign licenses from ${validFrom} until ${validUntil}: ${flags.out}`);
}
