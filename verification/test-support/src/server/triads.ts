import { randomUUID } from 'node:crypto';
import type { RunningServer, TestResponse, TestWorld } from './test-world';

export const SERVERS = ['oregon/app-1', 'oregon/app-2', 'oregon/app-3'] as const;
export const TRIAD_PRODUCT = 'Triadic';

export const REDUNDANT = {
  licenseId: 'lic-redundant',
  customer: 'Acme',
  product: TRIAD_PRODUCT,
  kind: 'redundant' as const,
  servers: SERVERS,
  entitlements: [{ feature: 'triad-studio', seats: 10, escrow: 3, leaseTtlSeconds: 600 }],
};

export const CLOUD = {
  licenseId: 'lic-cloud',
  customer: 'Acme',
  product: 'Cloudy',
  entitlements: [{ feature: 'studio', seats: 5 }],
};

export const checkout = (server: RunningServer, seats = 1, leaseId: string = randomUUID()): Promise<TestResponse> =>
  server.call('PUT', `/v1/leases/${leaseId}`, {
    product: TRIAD_PRODUCT,
    feature: 'triad-studio',
    seats,
    holder: 'room-1',
  });

export const heartbeat = (server: RunningServer, leaseId: string): Promise<TestResponse> =>
  server.call('POST', `/v1/leases/${leaseId}/heartbeat`);

/** The servers that report to be in control. */
export function inControl(servers: readonly RunningServer[]): RunningServer[] {
  return servers.filter(({ triads }) => triads.claims().terms.size > 0);
}

/** As if every server that is named had fallen silent so many milliseconds ago. */
export async function silence(world: TestWorld, names: readonly string[]): Promise<void> {
  await world.database.query(`update server_presence set seen_at = 'epoch' where server = any($1)`, [names]);
}
