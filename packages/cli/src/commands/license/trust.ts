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

/** The options of a command that has to know whose signature counts. */
export function withTrustOptions(command: Command): Command {
  return command
    .option('--root <file>', 'the public key of a root; may be repeated, while one follows another', collect)
    .option('--withdraw <kid>', 'a vendor key that is not to be believed any more; may be repeated', collect)
    .option('--keygen-public-key <hex>', 'believe license files of this Keygen account too; may be repeated', collect);
}

/** What the options say, as the content of a trust file. */
export async function trustOf(flags: TrustFlags): Promise<object> {
  const roots = await Promise.all((flags.root ?? []).map((file) => readPublicKeyFile(file, 'root')));
  return { roots, withdrawnKeys: flags.withdraw ?? [], keygenPublicKeys: flags.keygenPublicKey ?? [] };
}

/** `npx evergrant license trust`: what a server is told of whose licenses count. */
export function addTrustCommand(license: Command): void {
  withTrustOptions(license.command('trust'))
    .description('make the trust file of a server (EVERGRANT_LICENSE_TRUST_FILE): whose signature counts')
    .requiredOption('--out <file>', 'where the trust file goes')
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
