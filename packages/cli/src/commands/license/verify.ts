import { readTrust } from '@evergrant/formats/license/trust';
import { verifyLicense } from '@evergrant/formats/license/verify';
import type { Command } from 'commander';
import pc from 'picocolors';
import { CommandError, EXIT, usageError } from '../../errors';
import { readJson, readText } from '../../files';
import { createOutput } from '../../output';
import { parseDate } from '../../parse-date';
import { readLicenseKeyFile, readPrivateKeyFile, usable } from './key-files';
import { documentLines } from './license-document-text';
import { type TrustFlags, trustOf, withTrustOptions } from './trust';

interface Flags extends TrustFlags {
  readonly json?: boolean;
  readonly trust?: string;
  readonly licenseKey?: string;
  readonly deploymentKey?: string;
  readonly server?: string;
  readonly at?: string;
}

const HELP = `
Exit code 0 if a server would accept the file. Otherwise exit code 1 and one of these codes:
  license_unreadable   license_tampered   license_unknown_key   license_key_expired   license_expired
  license_not_yet_valid   license_wrong_server   license_not_for_this_deployment   license_suspended`;

/** `npx evergrant license verify`: verifies a license file like a server. */
export function addVerifyCommand(license: Command): void {
  withTrustOptions(license.command('verify <file>'))
    .description('verify a license file (- is standard input)')
    .option('--trust <file>', 'a trust file, instead of --root')
    .option('--license-key <file>', 'license key of an encrypted file')
    .option('--deployment-key <file>', 'private key of the deployment of the file')
    .option('--server <name>', 'importing server, as region/name')
    .option('--at <when>', 'verify for this date instead of now', '0d')
    .addHelpText('after', HELP)
    .action(async (file: string, _options: unknown, command: Command) => run(file, command.optsWithGlobals<Flags>()));
}

async function run(file: string, flags: Flags): Promise<void> {
  const output = createOutput(flags.json === true);
  if (flags.trust === undefined && flags.root === undefined) {
    throw usageError(
      'no_root',
      'Set the trusted signers: --root FILE with the public key of the vendor root, or --trust FILE.',
    );
  }
  const trust = usable(
    flags.trust ?? '--root',
    await readTrust(flags.trust === undefined ? await trustOf(flags) : readJson(flags.trust)),
  );
  const verdict = await verifyLicense(readText(file), {
    trust,
    nowMs: Date.parse(parseDate('--at', flags.at ?? '0d', Date.now())),
    server: flags.server,
    licenseKey: readLicenseKeyFile(flags.licenseKey),
    deploymentKeys:
      flags.deploymentKey === undefined ? [] : [await readPrivateKeyFile(flags.deploymentKey, 'deployment')],
  });
  if (verdict.kind === 'refused') {
    const { code, detail } = verdict;
    throw new CommandError({ exitCode: EXIT.refused, code, message: `${code}: ${detail}.` });
  }
  const { document, signer, dropped } = verdict;
  output.document({ verified: true, document, signer, dropped });
  for (const line of documentLines(document)) output.line(line);
  for (const each of dropped) output.line(`Not converted: ${each}.`);
  const by = signer.kind === 'vendor' ? `the vendor key ${signer.certificate.key.kid}` : 'a Keygen account';
  output.line(pc.green(`Valid: signed with ${by}.`));
}
