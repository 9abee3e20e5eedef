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
Ends with 0 when a server would take the file, and with 1 and one of these codes when not:
  license_unreadable   license_tampered   license_unknown_key   license_key_expired   license_expired
  license_not_yet_valid   license_wrong_server   license_not_for_this_deployment   license_suspended`;

/** `npx evergrant license verify`: would a server take this file? */
export function addVerifyCommand(license: Command): void {
  withTrustOptions(license.command('verify <file>'))
    .description('is this license file to be believed? (- is standard input)')
    .option('--trust <file>', 'a trust file, instead of --root')
    .option('--license-key <file>', 'opens a file that is encrypted with its license key')
    .option('--deployment-key <file>', 'the private key of the deployment that the file is for')
    .option('--server <name>', 'the server that would import it, as region/name')
    .option('--at <when>', 'not now, but on this date', '0d')
    .addHelpText('after', HELP)
    .action(async (file: string, _options: unknown, command: Command) => run(file, command.optsWithGlobals<Flags>()));
}

async function run(file: string, flags: Flags): Promise<void> {
  const output = createOutput(flags.json === true);
  if (flags.trust === undefined && flags.root === undefined) {
    throw usageError(
      'no_root',
      'Say whom you trust: --root FILE with the public key of the vendor’s root, or --trust FILE.',
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
  for (const each of dropped) output.line(`Without counterpart: ${each}.`);
  const by = signer.kind === 'vendor' ? `the vendor key ${signer.certificate.key.kid}` : 'a Keygen account';
  output.line(pc.green(`Valid: signed with ${by}.`));
}
