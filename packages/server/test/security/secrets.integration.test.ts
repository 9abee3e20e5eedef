import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeOfflineRequest } from '@evergrant/formats/offline/documents';
import { CertificateFolder } from '@evergrant/test-support/certificates';
import { eventually } from '@evergrant/test-support/eventually';
import { drawToken, giveLicenseKey, newRoom } from '@evergrant/test-support/server/control-rooms';
import { PRODUCT, SIGNING_KEY, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { sha256Of } from '../../src/api-tokens/api-token-verifier';

const PROJECT = join(__dirname, '../../../..');

let world: TestWorld;
let folder: CertificateFolder;
let child: ChildProcess;
let address: string;
let said = '';
/** Everything that may never be seen outside, by what it is. */
const planted: Record<string, string> = {};
const errorBodies: string[] = [];

beforeAll(async () => {
  world = await TestWorld.create();
  folder = new CertificateFolder();
  const licenseKey = await giveLicenseKey(world);
  const { password } = world.database.address('evergrant_server');
  Object.assign(planted, {
    'the administrator’s token': TOKENS.admin,
    'a client’s token': TOKENS.client,
    'the license key': licenseKey,
    'the password of a database': password,
    'the signing key': SIGNING_KEY.d ?? '',
    'the deployment key': world.vendor.deployment.d,
  });
  start();
  address = await eventually('it has started', () => /"address":"([^"]+)"/.exec(said)?.[1]);
  await eventually(
    'it grants',
    async () => ((await (await call('GET', '/v1/status')).json()) as { granting: boolean }).granting,
  );
});

afterAll(async () => {
  child.kill('SIGKILL');
  folder.remove();
  await world.close();
});

/** A server in a separate process, at the most verbose log level. */
function start(): void {
  const database = world.database.address('evergrant_server');
  const authority = world.authority.database.address('evergrant_server');
  const of = (prefix: string, { host, port, name, user }: typeof database) => ({
    [`${prefix}_HOST`]: host,
    [`${prefix}_PORT`]: String(port),
    [`${prefix}_NAME`]: name,
    [`${prefix}_USER`]: user,
  });
  child = spawn(process.execPath, [join(PROJECT, 'dist/server/main.js')], {
    env: {
      PATH: process.env.PATH,
      EVERGRANT_REGION: 'oregon',
      EVERGRANT_SERVER: 'oregon/app-1',
      EVERGRANT_PORT_LISTEN: '0',
      ...of('EVERGRANT_DATABASE', database),
      ...of('EVERGRANT_AUTHORITY', authority),
      EVERGRANT_SECRETS_FILE: folder.write(
        'secrets.json',
        JSON.stringify({
          databasePassword: database.password,
          authorityPassword: authority.password,
          signingKeys: { keys: [SIGNING_KEY] },
          deploymentKeys: { keys: [world.vendor.deployment] },
        }),
      ),
      EVERGRANT_LICENSE_TRUST_FILE: folder.write('trust.json', JSON.stringify(world.vendor.trust)),
      EVERGRANT_REGION_ADDRESSES: JSON.stringify({ oregon: 'http://oregon.test' }),
      EVERGRANT_AUTHORITY_LEASE_MS: '3000',
      EVERGRANT_RENEWAL_EVERY_MS: '300',
      EVERGRANT_SKEW_MS: '500',
      EVERGRANT_LOG_LEVEL: 'trace',
    },
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      said += chunk;
    });
  }
}

/** Keeps what errors say. */
async function call(
  method: string,
  path: string,
  { token, body, type = 'application/json' }: { token?: string; body?: unknown; type?: string } = {},
): Promise<Response> {
  const answer = await fetch(`${address}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': type }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  if (answer.status >= 400) {
    errorBodies.push(`${JSON.stringify([...answer.headers])} ${await answer.clone().text()}`);
  }
  return answer;
}

/** What went through the server's hands, in good ways and in every bad way that people find. */
async function useAndMisuse(): Promise<void> {
  const licenseKey = planted['the license key'] ?? '';
  const room = newRoom();
  const spare = drawToken();
  planted['the token of a Control Room'] = room.token;
  planted['a token that is not registered'] = spare;
  const registration = { licenseKey, name: 'Plant 7', tokenSha256: sha256Of(room.token) };
  const roomPath = `/v1/control-rooms/${room.guid}`;
  expect((await call('PUT', roomPath, { body: registration })).status).toBe(201);

  const leasePath = `/v1/leases/${randomUUID()}`;
  const checkout = { product: PRODUCT, feature: 'studio', seats: 1, holder: 'alice' };
  const held = (await (await call('PUT', leasePath, { token: room.token, body: checkout })).json()) as {
    token: string;
  };
  planted['a lease token'] = held.token;
  await call('POST', `${leasePath}/heartbeat`, { token: room.token, body: { token: held.token } });

  // The right thing in the wrong place.
  await call('PUT', roomPath, { body: { ...registration, tokenSha256: room.token } });
  await call('PUT', roomPath, { body: { ...registration, licenseKey: [licenseKey] } });
  await call('PUT', roomPath, { body: `{"licenseKey": "${licenseKey}", "name": ` });
  await call('PUT', roomPath, { body: `licenseKey=${licenseKey}`, type: 'application/x-www-form-urlencoded' });
  await call('PUT', `/v1/control-rooms/${licenseKey}`, { body: { ...registration, tokenSha256: sha256Of(spare) } });
  await call('PUT', `/v1/control-rooms/${randomUUID()}`, {
    body: { ...registration, tokenSha256: sha256Of(room.token) },
  });
  await call('GET', `/v1/pools?token=${TOKENS.admin}`);
  await call('GET', `/${TOKENS.admin}/${licenseKey}`);
  await call('GET', '/v1/pools', { token: spare });
  await call('DELETE', `/v1/api-tokens/${encodeURIComponent(TOKENS.client)}`, { token: TOKENS.admin, body: {} });
  await call('POST', '/v1/api-tokens', {
    token: TOKENS.admin,
    body: { name: 'x', scopes: [spare], tokenSha256: spare },
  });
  await call('PUT', leasePath, { token: TOKENS.client, body: { ...checkout, token: [held.token], seats: spare } });
  await call('POST', `/v1/leases/${held.token.slice(0, 80)}/heartbeat`, { token: TOKENS.client, body: {} });
  await call('POST', `${roomPath}/offline-response`, {
    token: TOKENS.admin,
    type: 'text/plain',
    body: writeOfflineRequest({
      version: 1,
      controlRoom: room.guid,
      nonce: randomUUID(),
      name: 'x',
      wanted: [{ feature: 'studio', seats: 1 }],
      durationSeconds: 60,
    }).replace('-----BEGIN', `${licenseKey}-----BEGIN`),
  });
  await call('POST', '/v1/licenses', { token: TOKENS.admin, type: 'text/plain', body: `${licenseKey}\n${spare}` });
}

async function loseTheDatabase(): Promise<void> {
  await world.database.refuseConnections(true);
  await eventually(
    'it notices',
    async () => !((await (await call('GET', '/v1/status')).json()) as { granting: boolean }).granting,
  );
  await call('GET', '/v1/pools', { token: TOKENS.client });
  await call('GET', '/v1/pools', { token: drawToken() });
  await world.database.refuseConnections(false);
}

/** What of the planted is in a text. */
const found = (text: string): string[] =>
  Object.entries(planted).flatMap(([what, secret]) => (text.includes(secret) ? [what] : []));

it('secrets: are not in log, errors, metrics, command line or environment of a server', async () => {
  await useAndMisuse();
  await loseTheDatabase();
  const metrics = await (await call('GET', '/metrics')).text();
  const openapi = await (await call('GET', '/openapi.json')).text();
  const process = (file: string) => readFileSync(`/proc/${child.pid}/${file}`, 'utf8');

  expect(Object.values(planted).every((secret) => secret.length >= 12)).toBe(true);
  expect(errorBodies.length).toBeGreaterThanOrEqual(15);
  expect(said.split('\n').length).toBeGreaterThan(5);
  expect({
    log: found(said),
    errors: found(errorBodies.join('\n')),
    metrics: found(metrics),
    openapi: found(openapi),
    argv: found(process('cmdline')),
    environment: found(process('environ')),
  }).toEqual({ log: [], errors: [], metrics: [], openapi: [], argv: [], environment: [] });
}, 60_000);

it('secrets: are not in the database', async () => {
  const tables = await world.database.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  expect(tables.length).toBeGreaterThan(10);
  const leaks: Record<string, string[]> = {};
  for (const { name } of tables) {
    const rows = await world.database.query<{ text: string | null }>(
      `select string_agg(t::text, E'\\n') as text from ${name} t`,
    );
    const inTable = found(rows[0]?.text ?? '').filter((what) => what !== 'the password of a database');
    if (inTable.length > 0) leaks[name] = inTable;
  }
  expect(leaks).toEqual({});
});
