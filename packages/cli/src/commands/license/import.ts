import type { Command } from 'commander';
import { CommandError, EXIT } from '../../errors';
import { readText } from '../../files';
import { type OpenServer, type ServerFlags, withServerOptions } from '../../license-server-client';
import { createOutput } from '../../output';
import { readLicenseKeyFile } from './key-files';

interface Flags extends ServerFlags {
  readonly licenseKey?: string;
}

interface Imported {
  readonly outcome: 'imported' | 'unchanged';
  readonly licenseId: string;
  readonly issue: number;
  readonly customer: string;
  readonly product: string;
  readonly validUntil: string;
  readonly dropped: readonly string[];
  readonly leasesCut: number;
  readonly borrowedBeyond: readonly {
    readonly leaseId: string;
    readonly feature: string;
    readonly holder: string;
    readonly seats: number;
    readonly expiresAt: string;
  }[];
}

/** `npx evergrant license import`: imports a license file into a running server. */
export function addImportCommand(license: Command, openServer: OpenServer): void {
  withServerOptions(license.command('import <file>'))
    .description(
      'import a license file: it is in force immediately, or rejected without a change (- is standard input)',
    )
    .option('--license-key <file>', 'license key of an encrypted file')
    .action(async (file: string, _options: unknown, command: Command) =>
      run(openServer, file, command.optsWithGlobals<Flags>()),
    );
}

async function run(openServer: OpenServer, file: string, flags: Flags): Promise<void> {
  const output = createOutput(flags.json === true);
  const licenseKey = readLicenseKeyFile(flags.licenseKey);
  const server = openServer(flags);
  const imported = await server
    .postText<Imported>(
      '/v1/licenses',
      readText(file),
      licenseKey === undefined ? {} : { 'evergrant-license-key': licenseKey },
    )
    .catch((error: unknown) => {
      throw asRefusal(error);
    });
  output.document(imported);
  const { licenseId, issue, customer, product, validUntil } = imported;
  const done = imported.outcome === 'imported' ? 'is in force' : 'was already in force';
  output.line(`License ${licenseId} of ${customer} for ${product}: issue ${issue} ${done}, until ${validUntil}.`);
  for (const dropped of imported.dropped) output.line(`Not converted: ${dropped}.`);
  if (imported.leasesCut > 0) output.line(`${imported.leasesCut} leases now end with the license.`);
  for (const { leaseId, feature, holder, seats, expiresAt } of imported.borrowedBeyond) {
    output.line(
      `Borrowed beyond the license: ${seats} of ${feature} by ${holder} until ${expiresAt} (lease ${leaseId}).`,
    );
  }
}

/** A file that the server rejects is a result, not an error in the command line. */
function asRefusal(error: unknown): unknown {
  if (!(error instanceof CommandError) || !error.code.startsWith('license_')) return error;
  const { code, message } = error;
  return new CommandError({ exitCode: EXIT.refused, code, message: `${code}: ${message}`, cause: error });
}
