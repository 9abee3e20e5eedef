import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { generateKey, KEY_ROLES, type KeyRole, publicPart } from '@evergrant/formats/license/keys';
import { type Command, Option } from 'commander';
import { usageError } from '../../errors';
import { jsonFile, writeNewFile, writeSecretFile } from '../../files';
import { createOutput, type Output } from '../../output';

const HELP = `
  root          certifies vendor keys. Keep it offline: whoever has it can make anyone a vendor
  vendor        signs license files, once a root has certified it
  deployment    opens license files that were encrypted for one deployment
  license-key   a GUID that Control Rooms register with: a secret of the customer

Writes NAME.private.jwk, which only you can read, and NAME.public.jwk, which anyone may have; a license key goes into the
file NAME itself. Nothing secret is ever printed, and no file is written over.`;

/** `npx evergrant license keygen`. */
export function addKeygenCommand(license: Command): void {
  license
    .command('keygen')
    .description('make a key')
    .argument('<what>', `${KEY_ROLES.join(', ')} or license-key`)
    .addOption(new Option('--out <name>', 'where it goes').makeOptionMandatory())
    .addHelpText('after', HELP)
    .action(async (what: string, _options: unknown, command: Command) => {
      const { json, out } = command.optsWithGlobals<{ json?: boolean; out: string }>();
      await keygen(what, out, createOutput(json === true));
    });
}

async function keygen(what: string, name: string, output: Output): Promise<void> {
  if (what === 'license-key') return makeLicenseKey(name, output);
  const role = KEY_ROLES.find((candidate) => candidate === what);
  if (!role) throw usageError('no_such_key', `There is no key "${what}": ${KEY_ROLES.join(', ')} or license-key.`);
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
  output.line(`  ${privateFile}  keep it secret`);
  output.line(`  ${publicFile}  give it to whoever needs it`);
}

function makeLicenseKey(file: string, output: Output): void {
  writeSecretFile(file, randomUUID());
  output.document({ file });
  output.line(
    `A license key is in ${file}: sign with it (license issue --license-key ${file}), then give it to the customer.`,
  );
}
