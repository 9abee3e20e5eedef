import { existsSync, readdirSync } from 'node:fs';
import { SUPERVISOR_TIMEOUTS } from '../../src/databases/timeouts';
import { DatabaseWorld } from './database-world';

let world: DatabaseWorld;

beforeAll(async () => {
  world = new DatabaseWorld(18290);
  await world.start();
});

afterAll(() => world.stop());

const pause = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

describe('database supervisor across regions', () => {
  it('does not rebuild a follower behind a cut link, and it streams again after the repair', async () => {
    const link = world.links['virginia-oregon/replication'];
    const pid = world.supervisor.pid('virginia/db');
    link.setCondition({ mode: 'cut' });
    await world.insert(1);
    await world.untilSummary('virginia/db', 'follower, not streaming');
    // The repair happens just after the supervisor has started to check whether the source is reachable.
    await pause(SUPERVISOR_TIMEOUTS.fast.rebuildAfterMs + 1_000);
    link.setCondition({ mode: 'open' });
    await world.untilSummary('virginia/db', 'follower, streaming');
    await world.until('the row arrives', async () => (await world.rows('virginia/db')).includes(1));
    // A rebuild would have changed the pid by now.
    await pause(1_500);
    expect(world.supervisor.pid('virginia/db')).toBe(pid);
  });

  it('rebuilds a follower that is ahead of the promoted standby', async () => {
    // The standby is suspended, so Virginia receives a commit that is never acknowledged. Data in the socket of the
    // suspended standby is lost with its process.
    world.signalTree('oregon/db-b', 'SIGSTOP');
    const neverAcknowledged = world.insert(2);
    neverAcknowledged.catch(() => undefined);
    await world.until('Virginia has it', async () => (await world.rows('virginia/db')).includes(2));
    world.kill('oregon/db-a');
    await expect(neverAcknowledged).rejects.toThrow();
    for (const pid of world.supervisor.processes('oregon/db-b')) process.kill(pid, 'SIGKILL');
    await world.supervisor.start('oregon/db-b');
    await world.untilSummary('oregon/db-b', 'primary');
    await world.insert(3);
    await world.untilSummary('virginia/db', 'follower, streaming');
    await world.until('Virginia has what Oregon has', async () => (await world.rows('virginia/db')).includes(3));
    expect(await world.rows('virginia/db')).not.toContain(2);
    expect(
      world.events.map(({ text }) => text).filter((text) => text.startsWith('virginia/db is being rebuilt')),
    ).toEqual([
      'virginia/db is being rebuilt. It holds WAL that the new primary database never had, so it can never follow it.',
    ]);
  });

  it('recovers every database after kill -9 of every process', async () => {
    await world.crashAndRestart();
    expect(world.summary('oregon/db-b')).toBe('primary');
    expect(world.summary('oregon/db-a')).toBe('standby, in sync');
    expect(world.summary('virginia/db')).toBe('follower, streaming');
    await world.insert(4);
    expect((await world.rows('oregon/db-b')).sort()).toEqual([1, 3, 4]);
  });

  it('fails over to Virginia and back without losing a row on the way back', async () => {
    const { supervisor } = world;
    const promote = async (name: 'virginia/db' | 'oregon/db-a') => {
      const client = new (await import('pg')).Client(supervisor.adminConnection(name));
      await client.connect();
      await client.query('select pg_promote()');
      await client.end();
    };
    // Oregon dies, and Virginia is promoted.
    world.kill('oregon/db-a');
    world.kill('oregon/db-b');
    await promote('virginia/db');
    await world.untilSummary('virginia/db', 'primary');
    expect(supervisor.region('virginia')).toEqual({ region: 'virginia', state: 'running' });
    const pid = supervisor.pid('virginia/db');
    await world.owner((client) => client.query('insert into kept values (5)'), world.layout.port('virginia/db'));

    // Oregon's databases start again. They must be archived before a follower can be built there.
    await supervisor.start('oregon/db-b');
    expect(() => supervisor.follow('oregon')).toThrow('archive them first');
    expect(supervisor.archive('oregon', 'first')).toEqual({ region: 'oregon', state: 'building' });
    await world.until('kept', () => supervisor.region('oregon').state === 'kept');
    expect(supervisor.archive('oregon', 'first')).toEqual({ region: 'oregon', state: 'kept' });
    expect(
      readdirSync(world.home)
        .filter((entry) => entry.includes('-kept-first'))
        .sort(),
    ).toEqual(['oregon-db-a-kept-first', 'oregon-db-b-kept-first']);
    await expect(supervisor.start('oregon/db-a')).rejects.toThrow('not in use');

    supervisor.follow('oregon');
    supervisor.follow('oregon');
    await world.until('following', () => supervisor.region('oregon').state === 'following');
    await world.untilSummary('oregon/db-a', 'follower, streaming');
    // The endpoint leads to the follower, so that the controller can observe and promote it.
    await world.until('the endpoint answers', async () => {
      const [row] = await world
        .owner((client) => client.query('select pg_is_in_recovery() as recovering'))
        .then(
          ({ rows }) => rows,
          () => [],
        );
      return row?.recovering === true;
    });
    await expect(world.insert(6)).rejects.toThrow('read-only');

    await promote('oregon/db-a');
    await world.untilSummary('oregon/db-a', 'primary');
    await world.untilSummary('oregon/db-b', 'standby, in sync');
    await world.insert(7);
    expect((await world.rows('oregon/db-a')).sort()).toEqual([1, 3, 4, 5, 7]);
    expect(supervisor.pid('virginia/db')).toBe(pid);

    supervisor.archive('virginia', 'first');
    await world.until('kept', () => supervisor.region('virginia').state === 'kept');
    supervisor.follow('virginia');
    await world.untilSummary('virginia/db', 'follower, streaming');
    await world.until('the row arrives', async () => (await world.rows('virginia/db')).includes(7));
    expect(existsSync(`${world.home}/virginia-db-kept-first`)).toBe(true);
  });
});
