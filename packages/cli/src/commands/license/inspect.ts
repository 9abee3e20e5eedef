import { inspectLicense, type LicenseInspection } from '@evergrant/formats/license/inspect';
import type { Command } from 'commander';
import pc from 'picocolors';
import { CommandError, EXIT } from '../../errors';
import { readText } from '../../files';
import { createOutput, type Output } from '../../output';
import { listed, readLicenseKeyFile, readPrivateKeyFile } from './key-files';
import { documentLines } from './license-document-text';

interface Flags {
  readonly json?: boolean;
  readonly licenseKey?: string;
  readonly deploymentKey?: string;
  readonly document?: boolean;
}

/** `npx evergrant license inspect`: shows the content of a license file. */
export function addInspectCommand(license: Command): void {
  license
    .command('inspect <file>')
    .description('show a license file without verifying it; reads Keygen files too (- is standard input)')
    .option('--license-key <file>', 'license key of an encrypted file')
    .option('--deployment-key <file>', 'private key of the deployment of an encrypted file')
    .option('--document', 'print only the document, as input of license issue --from')
    .action(async (file: string, _options: unknown, command: Command) => run(file, command.optsWithGlobals<Flags>()));
}

async function run(file: string, flags: Flags): Promise<void> {
  const deploymentKeys =
    flags.deploymentKey === undefined ? [] : [await readPrivateKeyFile(flags.deploymentKey, 'deployment')];
  const inspection = await inspectLicense(readText(file), {
    deploymentKeys,
    licenseKey: readLicenseKeyFile(flags.licenseKey),
  });
  if (inspection.kind === 'refused') {
    throw new CommandError({
      exitCode: EXIT.refused,
      code: inspection.code,
      message: `${file}: ${inspection.detail}.`,
    });
  }
  if (flags.document) return printDocument(file, inspection);
  const output = createOutput(flags.json === true);
  output.document({ ...inspection, kind: undefined, verified: false });
  if (!output.json) print(inspection, output);
}

function printDocument(file: string, { document, closed }: LicenseInspection): void {
  if (document?.kind === 'read') {
    process.stdout.write(`${JSON.stringify(document.value, null, 2)}\n`);
    return;
  }
  const why = document ? `the content is not a license document:\n${listed(document.errors)}` : `${closed}.`;
  throw new CommandError({ exitCode: EXIT.refused, code: 'license_unreadable', message: `${file}: ${why}` });
}

function print(inspection: LicenseInspection, output: Output): void {
  const { document, certificate } = inspection;
  output.line(pc.yellow('Not verified: anyone can write such a file. Verify it with: npx evergrant license verify'));
  output.line();
  if (inspection.format === 'keygen') output.line('A Keygen license file, converted:');
  if (inspection.encryptedFor) output.line(`Encrypted ${encryption(inspection)}.`);
  if (inspection.deployment) output.line(`For the deployment with the key ${inspection.deployment}.`);
  if (certificate) {
    const { key, signedBy, validFrom, validUntil } = certificate;
    output.line(`Signed with ${key.kid}, which the root ${signedBy} certified from ${validFrom} until ${validUntil}.`);
  }
  output.line();
  if (document?.kind === 'read') for (const line of documentLines(document.value)) output.line(line);
  if (document?.kind === 'invalid') output.line(`The content is not a license document:\n${listed(document.errors)}`);
  if (inspection.closed) output.line(`The file cannot be opened: ${inspection.closed}.`);
  for (const dropped of inspection.dropped) output.line(`Not converted: ${dropped}.`);
}

function encryption({ encryptedFor }: LicenseInspection): string {
  return encryptedFor?.kind === 'deployment' ? `to the deployment key ${encryptedFor.kid}` : 'with its license key';
}
