import { readCertificateFile } from '@evergrant/formats/license/certificate';
import { type Issue, issueLicense } from '@evergrant/formats/license/issue';
import { withDefaults } from '@evergrant/formats/license/with-defaults';
import { type Command, Option } from 'commander';
import { CommandError, EXIT, usageError } from '../../errors';
import { readJson, readText, writeNewFile } from '../../files';
import { createOutput } from '../../output';
import { listed, readGuidFile, readPrivateKeyFile, readPublicKeyFile } from './key-files';
import { documentLines } from './license-document-text';

interface Flags {
  readonly json?: boolean;
  readonly from: string;
  readonly key: string;
  readonly certificate: string;
  readonly licenseKey?: string;
  readonly encryptTo?: string;
  readonly encryptWithLicenseKey?: boolean;
  readonly out: string;
}

const HELP = `
The required members of the document:

  {
    "licenseId": "lic-4711", "issue": 1, "customer": "Acme", "product": "automation", "kind": "cloud",
    "validFrom": "2026-01-01T00:00:00Z", "validUntil": "2027-01-01T00:00:00Z",
    "entitlements": [{ "feature": "bot-creator", "seats": 25 }]
  }

docs/licensing.md lists every member. Every further file of a license needs a higher issue: servers reject lower ones.`;

/** `npx evergrant license issue`: signs a license document. */
export function addIssueCommand(license: Command): void {
  license
    .command('issue')
    .description('sign a license document')
    .requiredOption('--from <file>', 'the document as JSON; - is standard input')
    .requiredOption('--key <file>', 'the private key of the vendor')
    .requiredOption('--certificate <file>', 'the certificate of that key')
    .option('--license-key <file>', 'file with the license key for the registration of Control Rooms')
    .addOption(
      new Option('--encrypt-to <file>', 'encrypt for the deployment with this public key').conflicts(
        'encryptWithLicenseKey',
      ),
    )
    .option('--encrypt-with-license-key', 'encrypt with the license key')
    .requiredOption('--out <file>', 'file for the license')
    .addHelpText('after', HELP)
    .action(async (_options: unknown, command: Command) => run(command.optsWithGlobals<Flags>()));
}

async function run(flags: Flags): Promise<void> {
  const output = createOutput(flags.json === true);
  const licenseKey = readGuidFile(flags.licenseKey);
  const document = withDefaults(readJson(flags.from), licenseKey);
  if (document.kind === 'invalid') {
    throw usageError('document_not_usable', `${flags.from} is not a license document:\n${listed(document.errors)}`);
  }
  const key = await readPrivateKeyFile(flags.key, 'vendor');
  const certificate = readCertificateFile(readText(flags.certificate));
  if (certificate.kind === 'refused') throw usageError(certificate.code, `${flags.certificate}: ${certificate.detail}`);
  const encryptTo = await recipient(flags, licenseKey);
  const issued = await issueLicense({
    document: document.value,
    key,
    certificate: certificate.certificate,
    ...(encryptTo ? { encryptTo } : {}),
  });
  if (issued.kind === 'refused') {
    throw new CommandError({ exitCode: EXIT.refused, code: issued.code, message: `Not signed: ${issued.detail}.` });
  }
  writeNewFile(flags.out, issued.file);
  output.document({ file: flags.out, document: document.value });
  for (const line of documentLines(document.value)) output.line(line);
  output.line(`Signed: ${flags.out}`);
}

async function recipient(flags: Flags, licenseKey: string | undefined): Promise<Issue['encryptTo']> {
  if (flags.encryptTo !== undefined) {
    return { kind: 'deployment', key: await readPublicKeyFile(flags.encryptTo, 'deployment') };
  }
  if (flags.encryptWithLicenseKey !== true) return undefined;
  if (licenseKey === undefined) {
    throw usageError('no_license_key', '--encrypt-with-license-key requires --license-key FILE.');
  }
  return { kind: 'license_key', licenseKey };
}
