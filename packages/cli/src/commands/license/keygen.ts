import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { generateKey, KEY_ROLES, type KeyRole, publicPart } from '@evergrant/formats/license/keys';
import { type Command, Option } from 'commander';
import { usageError } from '../../errors';
import { jsonFile, writeNewFile, writeSecretFile } from '../../files';
import { createOutput, type Output } from '../../output';

const HELP = `
  root          certifies vendor keys. Keep it offline: its holder can certify any vendor
  vendor        signs license files, once a root has certified it
  deployment    decrypts license files for one deployment
  license-key   a GUID for the registration of Control Rooms: a secret of the customer

Writes NAME.private.jwk, readable by its owner only, and NAME.public.jwk, which may be published. A license key is written
to the file NAME. Secrets are never printed, and files are never overwritten.`;

/** `npx evergrant license keygen`. */
export function addKeygenCommand(license: Command): void {
  license
    .command('keygen')
    .description('create a key')
    .argument('<what>', `${KEY_ROLES.join(', ')} or license-key`)
    .addOption(new Option('--out <name>', 'file name, without extension').makeOptionMandatory())
    .addHelpText('after', HELP)
    .action(async (what: string, _options: unknown, command: Command) => {
      const { json, out } = command.optsWithGlobals<{ json?: boolean; out: string }>();
      await keygen(what, out, createOutput(json === true));
    });
}

async function keygen(what: string, name: string, output: Output): Promise<void> {
  if (what === 'license-key') return makeLicenseKey(name, output);
  const role = KEY_ROLES.find((candidate) => candidate === what);
  if (!role)
    throw usageError('no_such_key', `There is no key type "${what}". Types: ${KEY_ROLES.join(', ')}, license-key.`);
  return makeKey(role, name, output);
}

async function makeKey(role: KeyRole, name: string, output: Output): Promise<void> {
  const key = await generateKey(role);
  const [privateFile, publicFile] = [`${name}.private.jwk`, `${name}.public.jwk`];
  writeSecretFile(privateFile, JSON.stringify(key, null, 2));
  try {
    writeNewFile(publicFile, jsonFile(publicPart(key)));
  } catch (error) {
    rmSync(privateFile);
    throw error;
  }
  output.document({ role, kid: key.kid, privateFile, publicFile });
  output.line(`${role} key ${key.kid}`);
  output.line(`  ${privateFile}  private key: keep it secret`);
  output.line(`  ${publicFile}  public key`);
}

function makeLicenseKey(file: string, output: Output): void {
  writeSecretFile(file, randomUUID());
  output.document({ file });
  output.line(
    `The license key is in ${file}. Use it in license issue --license-key ${file}, then send it to the customer.`,
  );
}
