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
The document, with all that need be in it:

  {
    "licenseId": "lic-4711", "issue": 1, "customer": "Acme", "product": "automation", "kind": "cloud",
    "validFrom": "2026-01-01T00:00:00Z", "validUntil": "2027-01-01T00:00:00Z",
    "entitlements": [{ "feature": "bot-creator", "seats": 25 }]
  }

docs/licensing.md lists every member. Each further file of a license has a higher issue: servers never go back.`;

/** `npx evergrant license issue`: a document becomes a signed file. */
export function addIssueCommand(license: Command): void {
  license
    .command('issue')
    .description('sign a license document')
    .requiredOption('--from <file>', 'the document as JSON; - is standard input')
    .requiredOption('--key <file>', 'the private key of the vendor')
    .requiredOption('--certificate <file>', 'the certificate of that key')
    .option('--license-key <file>', 'a file with the license key that Control Rooms will register with')
    .addOption(
      new Option('--encrypt-to <file>', 'the public key of the deployment that alone shall open it').conflicts(
        'encryptWithLicenseKey',
      ),
    )
    .option('--encrypt-with-license-key', 'only who has the license key shall open it')
    .requiredOption('--out <file>', 'where the license file goes')
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
    ...{ document: document.value, key, certificate: certificate.certificate },
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
    throw usageError('no_license_key', 'To encrypt with the license key, say where it is: --license-key FILE.');
  }
  return { kind: 'license_key', licenseKey };
}
