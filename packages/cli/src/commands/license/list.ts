import { table } from '@evergrant/core/text-table';
import type { Command } from 'commander';
import { type OpenServer, type ServerFlags, withServerOptions } from '../../license-server-client';
import { createOutput } from '../../output';

interface LicenseView {
  readonly licenseId: string;
  readonly issue: number;
  readonly customer: string;
  readonly product: string;
  readonly kind: string;
  readonly validity: string;
  readonly validUntil: string | null;
  readonly importedBy: string | null;
  readonly entitlements: readonly { readonly feature: string; readonly seats: number; readonly overdraft: number }[];
}

/** `npx evergrant license list`: licenses in force. */
export function addListCommand(license: Command, openServer: OpenServer): void {
  withServerOptions(license.command('list'))
    .description('list licenses in force and their entitlements')
    .action(async (_options: unknown, command: Command) => run(openServer, command.optsWithGlobals<ServerFlags>()));
}

async function run(openServer: OpenServer, flags: ServerFlags): Promise<void> {
  const output = createOutput(flags.json === true);
  const { licenses } = await openServer(flags).call<{ licenses: LicenseView[] }>('GET', '/v1/licenses');
  output.document({ licenses });
  output.line(
    table([
      ['license', 'issue', 'customer', 'product', 'kind', 'valid until', 'imported by', 'seats'],
      ...licenses.map((license) => [
        license.licenseId,
        String(license.issue),
        license.customer,
        license.product,
        license.kind,
        until(license),
        license.importedBy ?? '-',
        license.entitlements.map(describeSeats).join(', '),
      ]),
    ]),
  );
}

function until({ validUntil, validity }: LicenseView): string {
  const end = validUntil ?? 'unlimited';
  return validity === 'valid' ? end : `${end} (${validity.replaceAll('_', ' ')})`;
}

function describeSeats({ feature, seats, overdraft }: LicenseView['entitlements'][number]): string {
  return `${seats}${overdraft > 0 ? `+${overdraft}` : ''} ${feature}`;
}
