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
}

/** `npx evergrant license import`: a license file is brought to a running server. */
export function addImportCommand(license: Command, openServer: OpenServer): void {
  withServerOptions(license.command('import <file>'))
    .description(
      'bring a license file to the server: in force at once, or refused and nothing changed (- is standard input)',
    )
    .option('--license-key <file>', 'opens a file that is encrypted with its license key')
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
  const done = imported.outcome === 'imported' ? 'is in force' : 'was in force already';
  output.line(`License ${licenseId} of ${customer} for ${product}: issue ${issue} ${done}, until ${validUntil}.`);
  for (const dropped of imported.dropped) output.line(`Without counterpart: ${dropped}.`);
}

/** A file that the server does not take is an answer, not a mistake in the command line. */
function asRefusal(error: unknown): unknown {
  if (!(error instanceof CommandError) || !error.code.startsWith('license_')) return error;
  const { code, message } = error;
  return new CommandError({ exitCode: EXIT.refused, code, message: `${code}: ${message}`, cause: error });
}
