import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TcpProxy } from '../../src/network/tcp-proxy';
import { copyRunning, copyStopped, markAsFollower, unfinishedCopy } from '../../src/postgres/copies';
import { PostgresInstance } from '../../src/postgres/instance';
import { scratchHome } from './scratch-home';

const PORT = 18382;
let home: string;
let primary: PostgresInstance;
const instances: PostgresInstance[] = [];

function instance(name: string, port: number): PostgresInstance {
  const made = new PostgresInstance({
    name,
    directory: join(home, name),
    port,
    logFile: join(home, `${name}.log`),
    adminPassword: 'secret',
  });
  instances.push(made);
  return made;
}

const following = (port = PORT) => ({
  primary_conninfo: `host=127.0.0.1 port=${port} user=evergrant_admin password=secret application_name=follower`,
});

beforeAll(async () => {
  home = scratchHome();
  primary = instance('primary', PORT);
  await primary.init();
  await primary.start();
  await primary.query('create table kept (n int primary key, filler text)');
});

afterAll(async () => {
  await Promise.all(instances.map((each) => each.kill()));
  rmSync(home, { recursive: true, force: true });
});

async function eventually<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    if (performance.now() > deadline) throw new Error(`not in time: ${JSON.stringify(answer)}`);
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

it('copies a stopped cluster, and the copy follows the original', async () => {
  await primary.stop();
  const copy = instance('cold', PORT + 1);
  copyStopped(primary, copy);
  markAsFollower(copy);
  await Promise.all([primary.start(), copy.start({ settings: following() })]);
  await primary.query("insert into kept values (1, 'after the copy')");
  await eventually(
    () => copy.query('select n from kept where n = 1'),
    (rows) => rows.length === 1,
  );
});

it('refuses to copy files under a running server', () => {
  expect(() => copyStopped(primary, instance('never', PORT + 2))).toThrow('only a stopped cluster can be copied');
});

it('copies a running cluster during writes over the network, and the copy follows', async () => {
  let writing = true;
  let written = 1;
  const writer = (async () => {
    while (writing) await primary.query('insert into kept select $1, repeat($2, 5000)', [++written, 'x']);
  })();
  const copy = instance('warm', PORT + 3);
  await copyRunning(primary.connection(), copy, { silentAfterMs: 5_000 });
  writing = false;
  await writer;
  renameSync(unfinishedCopy(copy), copy.directory);
  await copy.start({ settings: following() });
  await eventually(
    () => copy.query<{ count: number }>('select count(*)::int as count from kept'),
    ([row]) => row?.count === written,
  );
});

it('fails when the source falls silent, and removes the incomplete copy', async () => {
  const link = new TcpProxy({ name: 'a-b/replication', port: PORT + 5, targetPort: PORT });
  await link.listen();
  link.setCondition({ mode: 'cut' });
  const copy = instance('silent', PORT + 4);
  const source = { ...primary.connection(), port: PORT + 5, connectionTimeoutMillis: 60_000 };
  const began = performance.now();
  try {
    await expect(copyRunning(source, copy, { silentAfterMs: 600 })).rejects.toThrow('silent could not be copied');
  } finally {
    await link.close();
  }
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(existsSync(unfinishedCopy(copy))).toBe(false);
});
