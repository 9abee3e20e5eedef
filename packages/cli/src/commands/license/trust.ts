import { readTrust } from '@evergrant/formats/license/trust';
import type { Command } from 'commander';
import { jsonFile, writeNewFile } from '../../files';
import { createOutput } from '../../output';
import { readPublicKeyFile, usable } from './key-files';

export interface TrustFlags {
  readonly root?: readonly string[];
  readonly withdraw?: readonly string[];
  readonly keygenPublicKey?: readonly string[];
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** Adds the options that define the trusted signers. */
export function withTrustOptions(command: Command): Command {
  return command
    .option('--root <file>', 'public key of a trusted root; may be repeated', collect)
    .option('--withdraw <kid>', 'vendor key that is no longer trusted; may be repeated', collect)
    .option('--keygen-public-key <hex>', 'trust license files of this Keygen account; may be repeated', collect);
}

/** Builds the content of a trust file from the options. */
export async function trustOf(flags: TrustFlags): Promise<object> {
  const roots = await Promise.all((flags.root ?? []).map((file) => readPublicKeyFile(file, 'root')));
  return { roots, withdrawnKeys: flags.withdraw ?? [], keygenPublicKeys: flags.keygenPublicKey ?? [] };
}

/** `npx evergrant license trust`: writes the trust file of a server. */
export function addTrustCommand(license: Command): void {
  withTrustOptions(license.command('trust'))
    .description('write the trust file of a server (EVERGRANT_LICENSE_TRUST_FILE)')
    .requiredOption('--out <file>', 'file for the trust settings')
    .action(async (_options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<TrustFlags & { json?: boolean; out: string }>();
      const output = createOutput(flags.json === true);
      const content = await trustOf(flags);
      const { roots, withdrawnKeys } = usable('--root', await readTrust(content));
      writeNewFile(flags.out, jsonFile(content));
      output.document({ file: flags.out, ...content });
      output.line(
        `${flags.out} trusts ${roots.map(({ kid }) => kid).join(', ')}` +
          `${withdrawnKeys.length > 0 ? `, but not the vendor keys ${withdrawnKeys.join(', ')}` : ''}.`,
      );
    });
}
