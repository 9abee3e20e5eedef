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

/** `npx evergrant license inspect`: what a file says of itself. */
export function addInspectCommand(license: Command): void {
  license
    .command('inspect <file>')
    .description('what does this license file say? Reads Keygen’s files too; believes nobody (- is standard input)')
    .option('--license-key <file>', 'opens a file that is encrypted with its license key')
    .option('--deployment-key <file>', 'the private key that opens a file encrypted to a deployment')
    .option('--document', 'print nothing but the document, as license issue --from takes it')
    .action(async (file: string, _options: unknown, command: Command) => run(file, command.optsWithGlobals<Flags>()));
}

async function run(file: string, flags: Flags): Promise<void> {
  const deploymentKeys =
    flags.deploymentKey === undefined ? [] : [await readPrivateKeyFile(flags.deploymentKey, 'deployment')];
  const says = await inspectLicense(readText(file), {
    deploymentKeys,
    licenseKey: readLicenseKeyFile(flags.licenseKey),
  });
  if (says.kind === 'refused') {
    throw new CommandError({ exitCode: EXIT.refused, code: says.code, message: `${file}: ${says.detail}.` });
  }
  if (flags.document) return printDocument(file, says);
  const output = createOutput(flags.json === true);
  output.document({ ...says, kind: undefined, verified: false });
  if (!output.json) print(says, output);
}

function printDocument(file: string, { document, closed }: LicenseInspection): void {
  if (document?.kind === 'read') {
    process.stdout.write(`${JSON.stringify(document.value, null, 2)}\n`);
    return;
  }
  const why = document ? `it is no license document:\n${listed(document.errors)}` : `${closed}.`;
  throw new CommandError({ exitCode: EXIT.refused, code: 'license_unreadable', message: `${file}: ${why}` });
}

function print(says: LicenseInspection, output: Output): void {
  const { document, certificate } = says;
  output.line(
    pc.yellow('Nothing of this has been verified: anyone can write such a file. npx evergrant license verify does.'),
  );
  output.line();
  if (says.format === 'keygen') output.line('A Keygen license file; below, what it becomes here.');
  if (says.encryptedFor) output.line(`Encrypted ${encryption(says)}.`);
  if (says.deployment) output.line(`For the deployment with the key ${says.deployment}.`);
  if (certificate) {
    const { key, signedBy, validFrom, validUntil } = certificate;
    output.line(`Signed with ${key.kid}, which the root ${signedBy} certified from ${validFrom} until ${validUntil}.`);
  }
  output.line();
  if (document?.kind === 'read') for (const line of documentLines(document.value)) output.line(line);
  if (document?.kind === 'invalid') output.line(`It is no license document:\n${listed(document.errors)}`);
  if (says.closed) output.line(`It cannot be opened: ${says.closed}.`);
  for (const dropped of says.dropped) output.line(`Without counterpart: ${dropped}.`);
}

function encryption({ encryptedFor }: LicenseInspection): string {
  return encryptedFor?.kind === 'deployment' ? `to the deployment key ${encryptedFor.kid}` : 'with its license key';
}
