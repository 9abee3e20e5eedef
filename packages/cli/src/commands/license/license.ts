import type { Command } from 'commander';
import type { OpenServer } from '../../license-server-client';
import { addCertifyCommand } from './certify';
import { addImportCommand } from './import';
import { addInspectCommand } from './inspect';
import { addIssueCommand } from './issue';
import { addKeygenCommand } from './keygen';
import { addListCommand } from './list';
import { addTrustCommand } from './trust';
import { addVerifyCommand } from './verify';

const HELP = `
From new keys to a license in force (docs/licensing.md explains each step):
  npx evergrant license keygen root --out root
  npx evergrant license keygen vendor --out vendor
  npx evergrant license certify --root root.private.jwk --key vendor.public.jwk --valid-until 365d --out vendor.certificate
  npx evergrant license issue --from document.json --key vendor.private.jwk --certificate vendor.certificate --out acme.license
  npx evergrant license verify acme.license --root root.public.jwk
  npx evergrant license import acme.license`;

/** `npx evergrant license`: commands for license files. */
export function addLicenseCommands(program: Command, openServer: OpenServer): void {
  const license = program
    .command('license')
    .description('create keys, sign, verify and import license files')
    .addHelpText('after', HELP);
  addKeygenCommand(license);
  addCertifyCommand(license);
  addTrustCommand(license);
  addIssueCommand(license);
  addInspectCommand(license);
  addVerifyCommand(license);
  addImportCommand(license, openServer);
  addListCommand(license, openServer);
}
