import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type DatabaseView,
  databaseFact,
  type FollowerView,
  followerFact,
} from '@evergrant/controller/core/database-view';
import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import { LicenseDatabases } from '@evergrant/controller/probes/license-databases';
import { compareLsn } from '@evergrant/core/lsn';
import { migrate } from '@evergrant/server/platform/postgres/migrations';
import { eventually } from '@evergrant/test-support/eventually';
import { TestDatabase } from '@evergrant/test-support/test-database';
import { Client } from 'pg';
import { createLicenseDatabase } from '../../src/databases/roles';
import { clusterHome } from '../../src/postgres/binaries';
import { copyRunning, unfinishedCopy } from '../../src/postgres/copies';
import { PostgresInstance } from '../../src/postgres/instance';

const TIMEOUT_MS = 800;
const BASE_PORT = 18_210;

/** Both regions with the same address: each test reads one of them. */
function at(
  address: { host: string; port: number },
  login: { database: string; user: string; password: string },
): LicenseDatabases {
  return new LicenseDatabases({ addresses: { oregon: address, virginia: address }, login, timeoutMs: TIMEOUT_MS });
}

const nobody = { database: 'evergrant', user: 'evergrant_controller', password: 'none' };

describe('license database that cannot be read', () => {
  let server: Server | undefined;
  const sockets = new Set<Socket>();

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    if (server !== undefined) await new Promise((resolve) => server?.close(resolve));
    server = undefined;
  });

  /** A listener in place of a database. */
  async function standIn(behave: (socket: Socket) => void): Promise<DatabaseView> {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      behave(socket);
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('no port');
    return at({ host: '127.0.0.1', port: address.port }, nobody).view('oregon');
  }

  /** PostgreSQL's refusal: an ErrorResponse message with a SQLSTATE. */
  const refuseWith = (code: string) => (socket: Socket) =>
    socket.once('data', () => {
      const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0Mfor a reason\0\0`);
      const head = Buffer.alloc(5);
      head.write('E');
      head.writeInt32BE(fields.length + 4, 1);
      socket.end(Buffer.concat([head, fields]));
    });

  it('is unreachable when the connection is refused', async () => {
    const view = await at({ host: '127.0.0.1', port: 18_299 }, nobody).view('oregon');
    expect(view.kind).toBe('unreachable');
  });

  it('is unreachable within the timeout when it accepts and stays silent', async () => {
    const beforeMs = performance.now();
    expect((await standIn(() => undefined)).kind).toBe('unreachable');
    expect(performance.now() - beforeMs).toBeLessThan(TIMEOUT_MS + 500);
  });

  it('is unreachable when the connection breaks', async () => {
    expect((await standIn((socket) => socket.destroy())).kind).toBe('unreachable');
    server?.close();
  });

  it.each([
    ['starting up or shutting down', '57P03', 'down'],
    ['shut down by an administrator', '57P01', 'down'],
    ['full', '53300', 'up'],
    ['refusing our password', '28P01', 'unknown'],
    ['refusing our role', '28000', 'unknown'],
    ['without our database', '3D000', 'unknown'],
  ])('%s (%s) counts as %s', async (_what, code, reading) => {
    const view = await standIn(refuseWith(code));
    expect(databaseFact(view).reading).toBe(reading);
  });

  it('is unknown when its host name cannot be resolved', async () => {
    expect((await at({ host: 'no-such-host.invalid', port: 5_432 }, nobody).view('oregon')).kind).toBe('unknown');
  });
});

describe('license database', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await TestDatabase.clone();
  });

  afterEach(() => database.drop());

  function databases(password?: string): LicenseDatabases {
    const { host, port, name, user, password: right } = database.address('evergrant_controller');
    return at({ host, port }, { database: name, user, password: password ?? right });
  }

  it('is a primary with a position before the first epoch opens', async () => {
    const view = await databases().view('oregon');
    expect(view).toMatchObject({
      kind: 'primary',
      epoch: undefined,
      flushedLsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
    });
  });

  it('returns the newest epoch and whether it is closed, and closes it idempotently', async () => {
    await database.query("insert into epoch (epoch, region, opened_by) values (1, 'oregon', 'test')");
    expect(await databases().view('oregon')).toMatchObject({ epoch: { epoch: 1, region: 'oregon', closed: false } });
    await databases().closeEpoch('oregon', 1);
    await databases().closeEpoch('oregon', 1);
    expect(await databases().view('oregon')).toMatchObject({ epoch: { epoch: 1, closed: true } });
  });

  it('closes an epoch that was never opened in it', async () => {
    await databases().closeEpoch('oregon', 1);
    expect(await databases().view('oregon')).toMatchObject({ epoch: { epoch: 1, closed: true } });
  });

  it('accepts the probe write twice', async () => {
    expect((await databases().verifyWrite('oregon')).reading).toBe('up');
    expect((await databases().verifyWrite('oregon')).reading).toBe('up');
  });

  it('fails the probe write when read-only, and is unknown with a wrong password', async () => {
    await database.makeReadOnly(true);
    expect((await databases().verifyWrite('oregon')).reading).toBe('down');
    expect((await databases('wrong').view('oregon')).kind).toBe('unknown');
  });

  it('limits the wait for a lock and leaves no waiting statement', async () => {
    await database.as('evergrant_owner', async (holder) => {
      await holder.query('begin');
      await holder.query('select pg_advisory_xact_lock_shared(7303014001)');
      await expect(databases().closeEpoch('oregon', 1)).rejects.toMatchObject({ code: 'close_epoch_failed' });
      await eventually('the abandoned statement is gone', async () => {
        const waiting = await database.query("select from pg_locks where locktype = 'advisory' and not granted");
        return waiting.length === 0;
      });
    });
  });
});

describe('follower and promotion', () => {
  const passwords = {
    evergrant_admin: 'admin',
    evergrant_owner: 'o',
    evergrant_server: 's',
    evergrant_controller: 'c',
    evergrant_replication: 'r',
  };
  let home: string;
  let oregon: PostgresInstance;
  let virginia: PostgresInstance;
  let databases: LicenseDatabases;

  const instance = (name: string, port: number): PostgresInstance =>
    new PostgresInstance({
      name,
      directory: join(home, name),
      port,
      logFile: join(home, `${name}.log`),
      adminPassword: 'admin',
    });

  beforeAll(async () => {
    home = clusterHome(mkdtempSync(join(tmpdir(), 'evergrant-promotion-')));
    oregon = instance('oregon', BASE_PORT);
    virginia = instance('virginia', BASE_PORT + 1);
    await oregon.init();
    await oregon.start({ settings: { wal_sender_timeout: '2s' } });
    await createLicenseDatabase(oregon.connection(), passwords);
    const owner = new Client(oregon.connection({ user: 'evergrant_owner', password: 'o', database: 'evergrant' }));
    await owner.connect();
    await migrate(owner);
    await owner.query("insert into epoch (epoch, region, opened_by) values (1, 'oregon', 'test')");
    await owner.end();
    await copyRunning(oregon.connection({ user: 'evergrant_replication', password: 'r' }), virginia, {
      silentAfterMs: 5_000,
    });
    renameSync(unfinishedCopy(virginia), virginia.directory);
    const primary_conninfo = `host=127.0.0.1 port=${BASE_PORT} user=evergrant_replication password=r application_name=virginia_follower`;
    await virginia.start({ settings: { primary_conninfo, wal_receiver_status_interval: '1s' } });
    databases = new LicenseDatabases({
      addresses: {
        oregon: { host: '127.0.0.1', port: BASE_PORT },
        virginia: { host: '127.0.0.1', port: BASE_PORT + 1 },
      },
      login: { database: 'evergrant', user: 'evergrant_controller', password: 'c' },
      timeoutMs: 2_000,
    });
  }, 60_000);

  afterAll(async () => {
    await Promise.all([oregon.kill(), virginia.kill()]);
    rmSync(home, { recursive: true, force: true });
  });

  const followerView = async (): Promise<FollowerView | undefined> => {
    const view = await databases.view('virginia');
    return view.kind === 'follower' ? view : undefined;
  };

  it("returns the receiver's status and the replay position", async () => {
    const view = await eventually('the follower streams', async () => {
      const seen = await followerView();
      return seen?.receiver?.status === 'streaming' && seen.epoch !== undefined ? seen : undefined;
    });
    expect(view).toMatchObject({ replayPaused: false, epoch: { epoch: 1, closed: false } });
    expect(Math.abs(view.serverNowMs - (view.receiver?.lastMessageAtMs ?? 0))).toBeLessThan(30_000);
  });

  it('does not report a broken connection when it only lacks the privilege to see it', async () => {
    await oregon.query('revoke pg_read_all_stats from evergrant_controller');
    const hidden = await eventually('the follower hides its receiver', async () => {
      const seen = await followerView();
      return seen?.receiver?.status === 'streaming' ? undefined : seen;
    });
    expect(hidden.receiver).toEqual({ status: undefined, lastMessageAtMs: undefined });
    expect(followerFact(hidden, DEFAULT_POLICY)).toMatchObject({ reading: 'unknown' });
    await oregon.query('grant pg_read_all_stats to evergrant_controller');
    await eventually(
      'the receiver is visible again',
      async () => (await followerView())?.receiver?.status === 'streaming',
    );
  });

  it('rejects the probe write', async () => {
    expect((await databases.verifyWrite('virginia')).reading).toBe('down');
  });

  it('replays the closed epoch of its primary', async () => {
    await databases.closeEpoch('oregon', 1);
    const origin = await databases.view('oregon');
    if (origin.kind !== 'primary') throw new Error('Oregon is not a primary');
    const view = await eventually('the follower has replayed the closing', async () => {
      const seen = await followerView();
      return seen?.replayedLsn && compareLsn(seen.replayedLsn, origin.flushedLsn) >= 0 ? seen : undefined;
    });
    expect(view.epoch).toMatchObject({ epoch: 1, closed: true });
  });

  it('reports no receiver after the end of the primary', async () => {
    await oregon.kill();
    expect((await databases.view('oregon')).kind).toBe('unreachable');
    await eventually('the receiver is gone', async () => {
      const view = await followerView();
      return view !== undefined && view.receiver === undefined;
    });
  });

  it('refuses promotion by a controller of an old epoch', async () => {
    await databases.promote('virginia', 0);
    expect(await followerView()).toMatchObject({ kind: 'follower' });
  });

  it('is promoted, passes the probe write, and accepts a repeated promotion', async () => {
    await databases.promote('virginia', 1);
    await eventually('it is a primary', async () => (await databases.view('virginia')).kind === 'primary');
    await databases.promote('virginia', 1);
    expect((await databases.verifyWrite('virginia')).reading).toBe('up');
  });

  it('is unreachable within the timeout when all of its processes are suspended', async () => {
    for (const pid of virginia.processes()) process.kill(pid, 'SIGSTOP');
    const beforeMs = performance.now();
    expect((await databases.view('virginia')).kind).toBe('unreachable');
    expect(performance.now() - beforeMs).toBeLessThan(2_600);
    for (const pid of virginia.processes()) process.kill(pid, 'SIGCONT');
  });
});
