import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { oneWorldAtATime } from '@evergrant/test-support/one-world-at-a-time';
import { RunningWorld } from '@evergrant/test-support/running-world';

jest.setTimeout(180_000);
oneWorldAtATime();

const world = new RunningWorld();

beforeAll(() => world.start());
afterAll(() => world.dispose());

/** Every file below a folder, except PostgreSQL's data files: other tests check the content of the databases. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return readdirSync(path).includes('PG_VERSION') ? [] : filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

/** The secrets of the secrets files by name: every string that is long enough to be a secret. */
function secretsOf(path: string): [string, string][] {
  const found: [string, string][] = [];
  const look = (where: string, value: unknown): void => {
    if (typeof value === 'string' && value.length >= 20 && isSecret(where)) found.push([where, value]);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, each] of Object.entries(value)) look(`${where}.${key}`, each);
    }
  };
  look(relative(world.home, path), JSON.parse(readFileSync(path, 'utf8')));
  return found;
}

/** The member `d` of a key is its private half. The other members are published. */
const isSecret = (where: string): boolean => !/\.(x|kid|kty|crv|alg|use|role|name)$/.test(where);

/** The places where secrets are allowed: files that only their owner can read. */
const isKeptSecret = (path: string): boolean => (statSync(path).mode & 0o077) === 0;

function secretsOfTheWorld(): Map<string, string> {
  const { tokens, licenses } = world.file;
  const folder = join(world.home, 'secrets');
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return new Map([
    ['the license key', licenses[0]?.licenseKey ?? ''],
    ['the administrator’s token', tokens.admin],
    ['the client’s token', tokens.client],
    ...files.flatMap((name) => secretsOf(join(folder, name))),
  ]);
}

/** Command line and environment of every process, by name. */
function* startedWith(): Generator<[string, string]> {
  for (const { name, pid } of world.file.processes) {
    for (const file of ['cmdline', 'environ']) {
      try {
        yield [`${file} of ${name}`, readFileSync(`/proc/${pid}/${file}`, 'utf8')];
      } catch {
        // The killed process has ended.
      }
    }
  }
}

/** The readable content of the world's folder. Operators share logs, so logs count regardless of their file mode. */
function* written(): Generator<[string, string]> {
  for (const path of filesBelow(world.home)) {
    const isLog = /logs?[/.]|\.jsonl$/.test(path);
    if (isLog || !isKeptSecret(path)) yield [relative(world.home, path), readFileSync(path, 'utf8')];
  }
}

/** Valid secrets in the wrong places, at the public address and behind it. */
async function misuse(licenseKey: string, roomToken: string): Promise<void> {
  const { tokens, regions } = world.file;
  for (const where of [{}, { at: regions.oregon.router }]) {
    await world.call('GET', `/v1/pools?token=${tokens.admin}`, { token: null, ...where });
    await world.call('GET', `/${roomToken}/${licenseKey}`, where);
    await world.call('PUT', `/v1/control-rooms/${licenseKey}`, { body: { licenseKey }, token: null, ...where });
    await world.call('PUT', '/_router/acl', { token: roomToken, body: { acl: tokens.admin }, ...where });
    await world.call('PUT', '/_edge/target', { token: tokens.admin, body: { region: licenseKey }, ...where });
  }
}

it('a world in normal operation, in failures and under misuse exposes none of its secrets', async () => {
  const secrets = secretsOfTheWorld();
  expect(secrets.size).toBeGreaterThan(12);
  const licenseKey = secrets.get('the license key') ?? '';
  const roomToken = randomBytes(24).toString('base64url');
  secrets.set('the token of a Control Room', roomToken);

  const tokenSha256 = createHash('sha256').update(roomToken).digest('hex');
  const body = { licenseKey, name: 'Plant 7', tokenSha256 };
  // 200 when the request had to be repeated.
  const registered = await world.call('PUT', `/v1/control-rooms/${randomUUID()}`, { body, token: null });
  expect([200, 201]).toContain(registered.status);
  expect((await world.call('GET', '/v1/pools', { token: roomToken })).status).toBe(200);
  await misuse(licenseKey, roomToken);
  const { stdout, stderr } = await world.evergrant('token', 'list');
  await world.evergrant('local', 'kill', 'oregon/app-1');
  const metrics = await world.call('GET', '/metrics', { token: null });

  const places: [string, string][] = [
    ['output of the world', world.output],
    ['output of the command', stdout + stderr],
    ['the metrics', metrics.text],
    ...startedWith(),
    ...written(),
  ];
  expect(places.filter(([place]) => place.endsWith('.log')).length).toBeGreaterThan(5);
  expect(places.filter(([place]) => place.startsWith('cmdline')).length).toBeGreaterThan(10);
  const leaks = places.flatMap(([place, text]) =>
    [...secrets].flatMap(([what, secret]) => (text.includes(secret) ? [`${what} in ${place}`] : [])),
  );
  expect(leaks).toEqual([]);
});
