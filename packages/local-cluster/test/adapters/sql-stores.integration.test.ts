import type { HistoryEntry } from '@evergrant/controller/core/history';
import { arm, pause, request } from '@evergrant/controller/operator-commands';
import { OperatingError } from '@evergrant/core/operating-error';
import { TestDatabase, type TestRole } from '@evergrant/test-support/test-database';
import { createAuthorityStore } from '../../src/adapters/create-authority-store';
import { openStores, type SqlStores } from '../../src/adapters/sql-stores';

const passwords = { evergrant_server: 'unused', evergrant_controller: 'unused' };
let database: TestDatabase;
let stores: SqlStores;

function open(role: TestRole, timeoutMs = 2_000): SqlStores {
  const { name, ...address } = database.address(role);
  return openStores({ ...address, database: name, timeoutMs, applicationName: 'tests' });
}

beforeEach(async () => {
  database = await TestDatabase.empty();
  await database.as('evergrant_admin', (admin) => createAuthorityStore(admin, { passwords }));
  stores = open('evergrant_controller');
});

afterEach(async () => {
  await stores.close();
  await database.drop();
});

const latch = { fromEpoch: 1, region: 'virginia', operationId: 'op-1' } as const;

describe('authority record', () => {
  it('starts with epoch 1, open in Oregon', async () => {
    const seen = await stores.authority.read();
    expect(seen).toMatchObject({ epoch: 1, region: 'oregon', operationId: undefined, renewedAtMs: undefined });
    expect(seen.opensAtMs).toBeLessThanOrEqual(seen.readAtMs);
  });

  it('latches once and refuses a second writer with the old epoch', async () => {
    const both = await Promise.all(
      [latch, { ...latch, operationId: 'op-2' }].map((each) => stores.authority.latch(each)),
    );
    expect(both.sort()).toEqual(['conflict', 'written']);
    expect(await stores.authority.read()).toMatchObject({ epoch: 2, region: 'virginia', opensAtMs: undefined });
  });

  it('keeps the last renewal of the old region through the latch', async () => {
    await database.as('evergrant_server', (server) =>
      server.query("update authority set renewed_at = clock_timestamp(), renewed_by = 'oregon/app-1'"),
    );
    await stores.authority.latch(latch);
    expect(await stores.authority.read()).toMatchObject({ renewedBy: 'oregon/app-1', renewedAtMs: expect.any(Number) });
  });

  it('opens once, for its own operation, and never in the past', async () => {
    await stores.authority.latch(latch);
    expect(await stores.authority.open({ epoch: 2, operationId: 'op-2', lapsedAtMs: 0 })).toBe('conflict');
    expect(await stores.authority.open({ epoch: 2, operationId: 'op-1', lapsedAtMs: 0 })).toBe('written');
    expect(await stores.authority.open({ epoch: 2, operationId: 'op-1', lapsedAtMs: 0 })).toBe('conflict');
    const { opensAtMs, latchedAtMs } = await stores.authority.read();
    expect(opensAtMs).toBeGreaterThanOrEqual(latchedAtMs);
  });

  it('opens at the requested time', async () => {
    await stores.authority.latch(latch);
    const lapsedAtMs = (await stores.authority.read()).readAtMs + 35_000;
    await stores.authority.open({ epoch: 2, operationId: 'op-1', lapsedAtMs });
    expect((await stores.authority.read()).opensAtMs).toBe(lapsedAtMs);
  });

  it('never goes back, even by a manual statement', async () => {
    await stores.authority.latch(latch);
    const byHand = (sql: string) => database.as('evergrant_admin', (admin) => admin.query(sql));
    await expect(byHand('update authority set epoch = 1')).rejects.toThrow('older');
    await expect(byHand("update authority set region = 'oregon'")).rejects.toThrow("virginia's");
  });

  it('grants the servers no permission to change the epoch', async () => {
    const asServer = (sql: string) => database.as('evergrant_server', (server) => server.query(sql));
    await expect(asServer("update authority set region = 'virginia', epoch = 2")).rejects.toThrow('permission denied');
    await expect(asServer('update control set version = 1')).rejects.toThrow('permission denied');
    await expect(asServer('select * from control')).rejects.toThrow('permission denied');
    await expect(asServer(`insert into history (kind, detail) values ('operator', '{}')`)).rejects.toThrow(
      'permission denied',
    );
  });

  it('stays unchanged when the store is created again', async () => {
    await stores.authority.latch(latch);
    await database.as('evergrant_admin', (admin) => createAuthorityStore(admin, { passwords }));
    expect(await stores.authority.read()).toMatchObject({ epoch: 2, region: 'virginia' });
  });
});

describe('control record', () => {
  const note: HistoryEntry = { kind: 'operator', detail: { command: 'pause', by: 'ada', reason: 'it is "quoted"' } };

  it('starts armed', async () => {
    const { version, record } = await stores.control.read();
    expect(version).toBe(1);
    expect(record.automation.state).toBe('armed');
  });

  it('accepts one of two writes of the same version, with only its history', async () => {
    const { version, record } = await stores.control.read();
    const write = (lastCycleBy: string) =>
      stores.control.write({ version, record: { ...record, lastCycleBy }, history: [note] });
    const results = await Promise.all([write('first'), write('second'), write('third')]);
    expect(results.filter((result) => result === 'written')).toHaveLength(1);
    expect((await stores.control.read()).version).toBe(2);
    expect(await stores.control.history(10)).toHaveLength(1);
  });

  it('returns the history newest first and rejects its deletion', async () => {
    const { version, record } = await stores.control.read();
    const second: HistoryEntry = { kind: 'verdict', detail: { from: undefined, to: 'healthy', reason: 'well' } };
    await stores.control.write({ version, record, history: [note, second] });
    const kept = await stores.control.history(10);
    expect(kept.map(({ kind }) => kind)).toEqual(['verdict', 'operator']);
    expect(kept[1]).toMatchObject({ ...note, atMs: expect.any(Number) });
    const erase = database.as('evergrant_admin', (admin) => admin.query('delete from history'));
    await expect(erase).rejects.toThrow('append-only');
  });

  it('fails with an operating error within the timeout when the store is down', async () => {
    await database.refuseConnections(true);
    await expect(stores.control.read()).rejects.toBeInstanceOf(OperatingError);
    await database.refuseConnections(false);
    expect((await stores.control.read()).version).toBe(1);
  });
});

describe('operator commands', () => {
  const operator = { by: 'ada', reason: 'maintenance' };
  const clock = { nowMs: () => Date.now(), newId: () => crypto.randomUUID() };
  const ports = () => ({ ...stores, clock });

  it('pause and arm with operator and reason', async () => {
    expect((await pause(ports(), operator)).kind).toBe('done');
    expect((await pause(ports(), operator)).kind).toBe('already_done');
    expect((await stores.control.read()).record.automation).toMatchObject({ state: 'paused', ...operator });
    expect((await arm(ports(), operator)).kind).toBe('done');
    expect((await stores.control.history(5)).map(({ detail }) => detail)).toMatchObject([
      { command: 'arm' },
      { command: 'pause' },
    ]);
  });

  it('refuse to arm while the standby region is active', async () => {
    await stores.authority.latch(latch);
    expect(await arm(ports(), operator)).toMatchObject({ kind: 'refused' });
  });

  it('allow one request at a time', async () => {
    const asked = await request(ports(), { kind: 'failover' }, operator);
    expect((await stores.control.read()).record.request).toMatchObject({ id: asked.requestId, ...operator });
    const again = await request(ports(), { kind: 'abort' }, operator);
    expect(again.effect.kind).toBe('refused');
  });

  it('succeed against concurrent writers after retries', async () => {
    let busy = true;
    const others = (async () => {
      while (busy) {
        const { version, record } = await stores.control.read();
        await stores.control.write({ version, record, history: [] });
        await new Promise((resume) => setTimeout(resume, 5));
      }
    })();
    expect((await pause(ports(), operator)).kind).toBe('done');
    busy = false;
    await others;
    expect((await stores.control.read()).record.automation.state).toBe('paused');
  });
});
