import { eventually } from '@evergrant/test-support/eventually';
import { type RunningServer, TestWorld } from '@evergrant/test-support/server/test-world';
import { ExpiryWarnings } from '../../src/licenses/expiry-warnings';
import { connectLicenseDatabase } from '../../src/platform/postgres/license-database';

const DAY_MS = 86_400_000;
const LONG = { deadlineMs: 25_000 };
jest.setTimeout(60_000);
let world: TestWorld;
afterEach(() => world.close());

const inDays = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString();

const warnings = (servers: RunningServer[]) =>
  servers
    .flatMap(({ logLines }) => logLines)
    .filter(({ alert }) => alert === 'license-expiring' || alert === 'license-expired')
    .map(({ licenseId, days }) => `${licenseId} ${days}`)
    .sort();

function license(licenseId: string, validUntil: string) {
  return { licenseId, customer: 'Acme', product: licenseId, validUntil, entitlements: [{ feature: 'f', seats: 1 }] };
}

it('ExpiryWarnings: warns 30, 7 and 0 days ahead, once for all servers', async () => {
  world = await TestWorld.create(
    license('lic-31', inDays(31)),
    license('lic-29', inDays(29)),
    license('lic-6', inDays(6)),
    license('lic-0', inDays(-1)),
  );
  const servers = await Promise.all([1, 2, 3].map((n) => world.startGranting({ name: `oregon/app-${n}` })));
  await eventually('warnings are logged', () => warnings(servers).length >= 3, LONG);
  // A server looks until it has looked while granting.
  await eventually('every server has looked', async () => {
    const shown = await Promise.all(servers.map((server) => server.call('GET', '/metrics', undefined, null)));
    return shown.every(({ body }) => body.includes('evergrant_license_valid_days{license="lic-31"} 30.9'));
  });
  expect(warnings(servers)).toEqual(['lic-0 0', 'lic-29 30', 'lic-6 7']);
  const { body } = await servers[0]!.call('GET', '/metrics', undefined, null);
  expect(body).toMatch(/evergrant_license_valid_days\{license="lic-0"\} -1\.0/);
});

it('ExpiryWarnings: warns at the next step, and again for the next issue', async () => {
  world = await TestWorld.create(license('lic-1', inDays(29)));
  const server = await world.startGranting();
  const told = (line: string) => eventually(line, () => warnings([server]).at(-1) === line, LONG);
  await told('lic-1 30');
  const job = jobOf(world);
  // The clock of the database cannot be moved; the end can.
  await world.importLicense({ ...license('lic-1', inDays(5)), issue: 2 });
  await job.check();
  expect(job.warnings()).toEqual(['lic-1 expires in less than 7 days']);
  await job.check();
  expect(job.warnings()).toHaveLength(1);
  await world.importLicense({ ...license('lic-1', inDays(400)), issue: 3 });
  await job.check();
  expect(job.warnings()).toHaveLength(1);
  await world.importLicense({ ...license('lic-1', inDays(20)), issue: 4 });
  await job.check();
  expect(job.warnings()[1]).toBe('lic-1 expires in less than 30 days');
  await job.close();
});

it('ExpiryWarnings: a server that does not grant exports the metric and does not warn', async () => {
  world = await TestWorld.create(license('lic-1', inDays(3)));
  const standby = await world.start({ region: 'virginia' });
  await eventually('it shows', async () =>
    (await standby.call('GET', '/metrics', undefined, null)).body.includes('evergrant_license_valid_days'),
  );
  expect(warnings([standby])).toEqual([]);
  expect(await world.database.query('select expiry_told_days as told from license')).toEqual([{ told: null }]);
});

/** The job alone, granting in the open epoch. */
function jobOf({ database }: TestWorld) {
  const connection = connectLicenseDatabase(database.address('evergrant_server'), {
    server: 'alone',
    followerName: 'none',
  });
  const lines: string[] = [];
  const log = {
    warn: (line: { announce: string }) => lines.push(line.announce),
    error: () => undefined,
    debug: () => undefined,
  };
  const job = new ExpiryWarnings({
    region: 'oregon',
    role: { verdict: () => ({ kind: 'granting', epoch: 1 }) },
    store: connection.licenses,
    metrics: { showValidity: () => undefined } as never,
    log: log as never,
  });
  return {
    check: () => job.check(),
    warnings: () => lines.map((line) => line.replace(/^license (\S+) of Acme (.*) \(.*$/, '$1 $2')),
    close: () => connection.close(),
  };
}
