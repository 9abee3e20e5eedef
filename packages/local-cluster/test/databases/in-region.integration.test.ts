import { DatabaseWorld, Writer } from './database-world';

/** The tests share one cluster and depend on their order. */
let world: DatabaseWorld;
let from = 0;

beforeAll(async () => {
  world = new DatabaseWorld(18330);
  await world.start();
});

afterAll(() => world.stop());

function newWriter(): Writer {
  from += 1_000_000;
  return new Writer(world, from);
}

const pause = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

/** Acknowledged rows that the database does not have. */
async function lost(writer: Writer, name: 'oregon/db-a' | 'oregon/db-b' | 'virginia/db'): Promise<number[]> {
  const rows = new Set(await world.rows(name));
  expect(writer.acknowledged.length).toBeGreaterThan(20);
  return writer.acknowledged.filter((n) => !rows.has(n));
}

describe('database supervisor in one region', () => {
  it('replaces a killed primary under load without losing an acknowledged commit', async () => {
    const writers = [newWriter(), newWriter(), newWriter(), newWriter()];
    await world.until('load', () => writers.every(({ acknowledged }) => acknowledged.length > 50));
    world.kill('oregon/db-a');
    await world.untilSummary('oregon/db-b', 'primary');
    const acknowledgedBefore = writers.map(({ acknowledged }) => acknowledged.length);
    await world.until('writes go on', () =>
      writers.every(({ acknowledged }, index) => acknowledged.length > (acknowledgedBefore[index] ?? 0) + 20),
    );
    expect(await world.supervisor.start('oregon/db-a')).toMatch(/^oregon\/db-a is running/);
    await world.untilSummary('oregon/db-a', 'standby, in sync');
    await Promise.all(writers.map((writer) => writer.stop()));
    await world.untilSummary('virginia/db', 'follower, streaming');
    await world.until('Virginia has caught up', () => world.status('virginia/db').lagBytes === 0);
    for (const writer of writers) {
      expect(await lost(writer, 'oregon/db-b')).toEqual([]);
      expect(await lost(writer, 'virginia/db')).toEqual([]);
      expect(writer.longestPauseMs).toBeLessThan(5_000);
    }
  });

  it('stops waiting for a killed standby and does not promote it later', async () => {
    const writer = newWriter();
    await world.until('load', () => writer.acknowledged.length > 20);
    world.kill('oregon/db-a');
    const before = writer.acknowledged.length;
    await world.until('commits without the standby', () => writer.acknowledged.length > before + 50);
    expect(writer.longestPauseMs).toBeLessThan(1_500);
    // Now the primary dies, too. The standby misses acknowledged commits.
    world.kill('oregon/db-b');
    await writer.stop();
    expect(await world.supervisor.start('oregon/db-a')).toMatch(/may miss commits of oregon\/db-b.*Start oregon\/db-b/);
    await pause(500);
    expect(world.status('oregon/db-a').inRecovery).toBe(true);
    await expect(world.insert(1)).rejects.toThrow();

    await world.supervisor.start('oregon/db-b');
    await world.untilSummary('oregon/db-b', 'primary');
    await world.untilSummary('oregon/db-a', 'standby, in sync');
    expect(await lost(writer, 'oregon/db-b')).toEqual([]);
  });

  it('stops waiting for a suspended standby within its limit, and waits for it again when it resumes', async () => {
    const writer = newWriter();
    await world.until('load', () => writer.acknowledged.length > 20);
    world.signalTree('oregon/db-a', 'SIGSTOP');
    const before = writer.acknowledged.length;
    try {
      await world.until('commits without the standby', () => writer.acknowledged.length > before + 50);
    } finally {
      world.signalTree('oregon/db-a', 'SIGCONT');
    }
    expect(writer.longestPauseMs).toBeLessThan(4_500);
    await writer.stop();
    await world.untilSummary('oregon/db-a', 'standby, in sync');
  });

  it('replaces a primary whose postmaster hangs although its sessions still work', async () => {
    const writer = newWriter();
    await world.until('load', () => writer.acknowledged.length > 20);
    const pid = world.supervisor.pid('oregon/db-b') as number;
    // Only the postmaster is suspended, as a script with its pid would do. New connections hang.
    process.kill(pid, 'SIGSTOP');
    await world.untilSummary('oregon/db-a', 'primary');
    const before = writer.acknowledged.length;
    await world.until('writes go on', () => writer.acknowledged.length > before + 20);
    await writer.stop();
    expect(world.supervisor.processes('oregon/db-b')).toEqual([]);
    expect(await lost(writer, 'oregon/db-a')).toEqual([]);
    await world.supervisor.start('oregon/db-b');
    await world.untilSummary('oregon/db-b', 'standby, in sync');
  });

  it('kills no instance when both are suspended, whichever resumes first', async () => {
    const pids = ['oregon/db-a', 'oregon/db-b'].map((name) => world.status(name as 'oregon/db-a').pid);
    for (const first of ['oregon/db-a', 'oregon/db-b'] as const) {
      const second = first === 'oregon/db-a' ? 'oregon/db-b' : 'oregon/db-a';
      world.signalTree(first, 'SIGSTOP');
      world.signalTree(second, 'SIGSTOP');
      await pause(4_000);
      world.signalTree(first, 'SIGCONT');
      await pause(500);
      world.signalTree(second, 'SIGCONT');
      await world.untilSummary('oregon/db-a', 'primary');
      await world.untilSummary('oregon/db-b', 'standby, in sync');
    }
    expect(['oregon/db-a', 'oregon/db-b'].map((name) => world.status(name as 'oregon/db-a').pid)).toEqual(pids);
  });

  it('promotes a standby that is started alone when it has every commit', async () => {
    // After a suspension, connections may still break and reconnect.
    await pause(1_000);
    await world.untilSummary('oregon/db-b', 'standby, in sync');
    const writer = newWriter();
    await world.until('load', () => writer.acknowledged.length > 20);
    // While the standby is suspended, no commit may be acknowledged.
    world.signalTree('oregon/db-b', 'SIGSTOP');
    await pause(700);
    world.kill('oregon/db-a');
    await world.untilSummary('oregon/db-a', 'primary, ended');
    for (const pid of world.supervisor.processes('oregon/db-b')) process.kill(pid, 'SIGKILL');
    await writer.stop();
    await world.supervisor.start('oregon/db-b');
    await world.untilSummary('oregon/db-b', 'primary');
    expect(await lost(writer, 'oregon/db-b')).toEqual([]);
    await world.supervisor.start('oregon/db-a');
    await world.untilSummary('oregon/db-a', 'standby, in sync');
  });
});
