import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { type ExitNotice, PostgresInstance } from '../../src/postgres/instance';
import { scratchHome } from './scratch-home';

const PORT = 18380;
let home: string;
let instance: PostgresInstance;

beforeAll(async () => {
  home = scratchHome();
  instance = new PostgresInstance({
    name: 'test/db',
    directory: join(home, 'db'),
    port: PORT,
    logFile: join(home, 'db.log'),
    adminPassword: "it's secret",
  });
  await instance.init();
});

afterAll(async () => {
  await instance.kill();
  rmSync(home, { recursive: true, force: true });
});

afterEach(() => instance.kill());

it('answers SQL after the start, with UTF-8 and the C locale', async () => {
  const pid = await instance.start();
  expect(instance.pid).toBe(pid);
  const [row] = await instance.query<{ encoding: string; locale: string }>(
    'select pg_encoding_to_char(encoding) as encoding, datlocale as locale from pg_database where datname = current_database()',
  );
  expect(row).toEqual({ encoding: 'UTF8', locale: 'C.UTF-8' });
});

it('rejects connections without the password', async () => {
  await instance.start();
  const stranger = new Client(instance.connection({ password: 'a guess' }));
  await expect(stranger.connect()).rejects.toThrow('password authentication failed');
});

it('applies only the settings of the current start', async () => {
  await instance.start({ settings: { work_mem: '7MB' } });
  expect(await instance.query('show work_mem')).toEqual([{ work_mem: '7MB' }]);
  await instance.stop();
  await instance.start();
  expect(await instance.query('show work_mem')).toEqual([{ work_mem: '4MB' }]);
});

it('stops within seconds and notifies its listeners', async () => {
  const pid = await instance.start();
  const notices: ExitNotice[] = [];
  const unsubscribe = instance.onExit((notice) => notices.push(notice));
  await instance.stop('fast');
  unsubscribe();
  expect(notices).toEqual([{ pid, code: 0, signal: null }]);
  expect(instance.processes()).toEqual([]);
});

it('stops an instance whose processes are all suspended', async () => {
  await instance.start();
  for (const pid of instance.processes()) process.kill(pid, 'SIGSTOP');
  await instance.stop('fast');
  expect(instance.processes()).toEqual([]);
});

it('starts again after kill -9 of the postmaster with busy backends, and keeps all commits', async () => {
  const pid = await instance.start();
  await instance.query('create table kept (n int)');
  await instance.query('insert into kept values (1)');
  // A busy backend does not notice the end of its postmaster, and would block the next postmaster.
  const busy = new Client(instance.connection());
  busy.on('error', () => undefined);
  await busy.connect();
  const spinning = busy.query('do $$ begin loop end loop; end $$').catch(() => 'ended');
  process.kill(pid, 'SIGKILL');
  await new Promise<void>((gone) => instance.onExit(() => gone()));
  expect(instance.processes().length).toBeGreaterThan(0);

  await instance.start();
  expect(await spinning).toBe('ended');
  expect(await instance.query('select n from kept')).toEqual([{ n: 1 }]);
});

it('reports a failed start with the end of the log', async () => {
  await expect(instance.start({ settings: { shared_buffers: 'plenty' } })).rejects.toThrow(
    /exited during its start[\s\S]*invalid value for parameter "shared_buffers"/,
  );
  expect(instance.isRunning).toBe(false);
});
