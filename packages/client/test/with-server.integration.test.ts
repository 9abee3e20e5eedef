import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@evergrant/test-support/eventually';
import { giveLicenseKey } from '@evergrant/test-support/server/control-rooms';
import { PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import {
  type ClientNotice,
  type Lease,
  LicenseClient,
  type LicenseClientOptions,
  type LicenseEvent,
} from '../src/license-client';

/** The published client with the real license server: each must understand the other's messages. */
const STUDIO = { product: PRODUCT, feature: 'studio' };
const SEATS = 10;

let world: TestWorld;
let oregon: RunningServer;
let dir: string;
let events: LicenseEvent[];
let notices: ClientNotice[];
const clients: LicenseClient[] = [];

beforeEach(async () => {
  world = await TestWorld.create();
  oregon = await world.startGranting();
  dir = mkdtempSync(join(tmpdir(), 'evergrant-client-'));
  events = [];
  notices = [];
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close({ release: false })));
  await world.close();
  rmSync(dir, { recursive: true });
});

function open(options: Partial<LicenseClientOptions> = {}): LicenseClient {
  const credentials = options.controlRoom ? {} : { token: TOKENS.client, holder: 'kyoto' };
  const client = new LicenseClient({
    addresses: [oregon.address],
    ...credentials,
    backoffBaseMs: 20,
    backoffCapMs: 200,
    onEvent: (event) => events.push(event),
    onNotice: (notice) => notices.push(notice),
    ...options,
  });
  clients.push(client);
  return client;
}

async function granted(client: LicenseClient, request: object = {}): Promise<Lease> {
  const outcome = await client.checkout({ ...STUDIO, ...request });
  if (outcome.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(outcome)}`);
  return outcome.lease;
}

const happened = (kind: LicenseEvent['kind']) => eventually(kind, () => events.some((event) => event.kind === kind));
const connection = () => notices.flatMap((notice) => (notice.kind === 'connection' ? [notice.over] : []));

describe.each([
  ['over a session', true],
  ['over plain HTTP', false],
])('client and server %s', (_how, sessions) => {
  it('check out, renew and release', async () => {
    const client = open({ sessions });
    const lease = await granted(client, { seats: 3 });
    expect(lease).toMatchObject({ state: 'held', seats: 3, epoch: 1, servedBy: oregon.name, licenseId: 'lic-1' });
    expect(connection()).toEqual([sessions ? 'session' : 'http']);
    expect(await world.counts('studio')).toMatchObject({ taken: 3 });
    expect(await lease.release()).toEqual({ kind: 'released' });
    expect(await world.counts('studio')).toMatchObject({ taken: 0 });
  });

  it('keep the seat of a new process when the old one with the same identity closes, as in a rolling update', async () => {
    const [before, after] = [open({ sessions, identity: 'web' }), open({ sessions, identity: 'web' })];
    const [first, second] = [await granted(before), await granted(after)];
    expect(second.id).toBe(first.id);
    await before.close();
    expect(await world.counts('studio')).toMatchObject({ live: 1, taken: 1 });
    const renewed = await fetch(`${oregon.address}/v1/leases/${second.id}/heartbeat`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKENS.client}`, 'content-type': 'application/json' },
      body: JSON.stringify({ token: second.token }),
    });
    expect(renewed.status).toBe(200);
    expect(await second.release()).toEqual({ kind: 'released' });
    expect(await world.counts('studio')).toMatchObject({ live: 0, taken: 0 });
  });

  it('agree on refusals', async () => {
    const client = open({ sessions });
    expect(await client.checkout({ ...STUDIO, seats: SEATS + 1 })).toEqual({ kind: 'no_seat_available' });
    expect(await client.checkout({ product: PRODUCT, feature: 'none' })).toMatchObject({
      kind: 'refused',
      code: 'entitlement_not_found',
    });
    expect(await client.checkout({ ...STUDIO, seats: 0 })).toMatchObject({ kind: 'refused', code: 'invalid_request' });
    const stranger = open({ sessions, token: 'nobody-knows-it' });
    expect(await stranger.checkout(STUDIO)).toMatchObject({ kind: 'refused', code: 'unauthenticated' });
  });

  it('queue a checkout and grant it later', async () => {
    const client = open({ sessions });
    const first = await granted(client, { seats: SEATS });
    const waiting = client.checkout({ ...STUDIO, queueMs: 30_000 });
    await happened('queued');
    await first.release();
    const outcome = await waiting;
    expect(outcome).toMatchObject({ kind: 'granted', lease: { state: 'held' } });
  });

  it('revoke a lease, and the client reports it as lost', async () => {
    // The next heartbeat is minutes away, but a restarted installation sends its token at once.
    const stateFile = join(dir, 'state.json');
    const client = open({ sessions, stateFile });
    const { id } = await granted(client);
    const body = { reason: 'moved to another plant' };
    expect((await oregon.call('DELETE', `/v1/leases/${id}`, body, TOKENS.admin)).status).toBe(204);
    await client.close({ release: false });
    open({ sessions, stateFile });
    await happened('lost');
    expect(events.find(({ kind }) => kind === 'lost')).toMatchObject({ leaseId: id, code: 'lease_released' });
  });

  it('restore the same lease after a restart without a further seat', async () => {
    const stateFile = join(dir, 'state.json');
    const first = open({ sessions, stateFile });
    const { id } = await granted(first);
    await first.close({ release: false });
    const again = await granted(open({ sessions, stateFile }));
    expect(again.id).toBe(id);
    await happened('renewed');
    expect(await world.counts('studio')).toMatchObject({ taken: 1, live: 1 });
  });

  it('restore leases by the identity of the installation only', async () => {
    const pod = { sessions, identity: 'pod-7' };
    const [one, two] = [await granted(open(pod)), await granted(clients[0] as LicenseClient)];
    await clients[0]?.close({ release: false });
    const again = open(pod);
    expect([(await granted(again)).id, (await granted(again)).id]).toEqual([one.id, two.id]);
    expect(await world.counts('studio')).toMatchObject({ taken: 2 });
  });
});

describe('a Control Room', () => {
  it('registers with the license key, stores its own token, and does not store the key', async () => {
    const licenseKey = await giveLicenseKey(world);
    const stateFile = join(dir, 'room.json');
    const room = { name: 'Control Room Kyoto', licenseKey };
    const client = open({ controlRoom: room, stateFile });
    await granted(client);
    const guid = client.controlRoom;
    expect(notices).toContainEqual({ kind: 'registered', controlRoom: guid, licenseId: 'lic-1' });
    const rows = await world.database.query('select name from control_room where id = $1', [guid]);
    expect(rows).toEqual([{ name: 'Control Room Kyoto' }]);
    await client.close({ release: false });
    const kept = readFileSync(stateFile, 'utf8');
    expect(kept).not.toContain(licenseKey);

    notices = [];
    const again = open({ controlRoom: room, stateFile });
    await granted(again);
    expect(again.controlRoom).toBe(guid);
    expect(notices.map(({ kind }) => kind)).not.toContain('registered');
    expect(await world.counts('studio')).toMatchObject({ taken: 1 });
  });

  it('with a wrong license key is refused immediately with the code', async () => {
    const room = { name: 'Kyoto', licenseKey: '00000000-0000-4000-8000-000000000000' };
    const client = open({ controlRoom: room, stateFile: join(dir, 'room.json') });
    expect(await client.checkout(STUDIO)).toMatchObject({ kind: 'refused', code: 'license_key_unknown' });
    expect(notices).toContainEqual(
      expect.objectContaining({ kind: 'registration_refused', code: 'license_key_unknown' }),
    );
  });

  it('with lost state needs an administrator to register its GUID again', async () => {
    const licenseKey = await giveLicenseKey(world);
    const first = open({ controlRoom: { name: 'Kyoto', licenseKey }, stateFile: join(dir, 'one.json') });
    await granted(first);
    const guid = first.controlRoom as string;
    const room = { name: 'Kyoto', licenseKey, guid };
    const second = open({ controlRoom: room, stateFile: join(dir, 'two.json') });
    expect(await second.checkout(STUDIO)).toMatchObject({ kind: 'refused', code: 'control_room_registered' });
    const recovery = { reason: 'its machine burned down' };
    await oregon.call('POST', `/v1/control-rooms/${guid}/recovery`, recovery, TOKENS.admin);
    await granted(second);
  });

  const PROGRAM = `
    const { LicenseClient } = require(process.argv[1]);
    const client = new LicenseClient(JSON.parse(process.argv[2]));
    client.checkout({ product: '${PRODUCT}', feature: 'studio' }).then(async ({ kind, code }) => {
      console.log(kind + ' ' + code + ' ' + client.controlRoom);
      await new Promise((resolve) => process.stdin.on('end', resolve).resume());
      await client.close();
    });
  `;

  /** Starts processes at the same time. Each prints its outcome and works until all have printed theirs. */
  async function manyProcesses(count: number, options: object): Promise<readonly string[]> {
    const room = { name: 'Kyoto', licenseKey: await giveLicenseKey(world) };
    const all = { addresses: [oregon.address], controlRoom: room, stateFile: join(dir, 'room.json'), ...options };
    const bundle = join(__dirname, '../../../dist/client');
    const children = Array.from({ length: count }, () =>
      spawn(process.execPath, ['-e', PROGRAM, bundle, JSON.stringify(all)]),
    );
    const lines = await Promise.all(
      children.map(
        ({ stdout }) => new Promise<string>((resolve) => stdout.once('data', (line) => resolve(String(line).trim()))),
      ),
    );
    const ended = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const { stdin } of children) stdin.end();
    await Promise.all(ended);
    return lines;
  }

  const rooms = () => world.database.query('select id from control_room');

  it('is one, also when 40 processes with one state file start together', async () => {
    const lines = await manyProcesses(40, {});
    const [room, ...others] = await rooms();
    expect(others).toEqual([]);
    expect(new Set(lines)).toEqual(new Set([`granted undefined ${room?.id}`, 'refused state_in_use undefined']));
    expect(lines.filter((line) => line.startsWith('granted'))).toHaveLength(1);
  }, 120_000);

  it('is one, and grants seats to every process that shares the state file', async () => {
    const lines = await manyProcesses(SEATS, { shareStateFile: true });
    const [room, ...others] = await rooms();
    expect(others).toEqual([]);
    expect(lines).toEqual(Array.from({ length: SEATS }, () => `granted undefined ${room?.id}`));
    expect(await world.counts('studio')).toMatchObject({ taken: 0 });
  }, 120_000);

  it('passes to the next process when the first one closes', async () => {
    const controlRoom = { name: 'Kyoto', licenseKey: await giveLicenseKey(world) };
    const stateFile = join(dir, 'room.json');
    const [first, second] = [open({ controlRoom, stateFile }), open({ controlRoom, stateFile })];
    const { id } = await granted(first);
    const guid = first.controlRoom;
    expect(await second.checkout(STUDIO)).toMatchObject({ kind: 'refused', code: 'state_in_use' });
    expect(second.controlRoom).toBeUndefined();
    await first.close({ release: false });
    expect((await granted(second)).id).toBe(id);
    expect(second.controlRoom).toBe(guid);
    expect(await rooms()).toHaveLength(1);
    expect(notices.filter(({ kind }) => kind === 'state')).toMatchObject([{ problem: 'in_use' }]);
  });

  it('registers when the service is available again, within the same checkout', async () => {
    const licenseKey = await giveLicenseKey(world);
    await world.database.refuseConnections(true);
    const client = open({ controlRoom: { name: 'Kyoto', licenseKey }, stateFile: join(dir, 'room.json') });
    const asked = client.checkout(STUDIO);
    await eventually('it does not grant', () => oregon.role.verdict().kind !== 'granting');
    await world.database.refuseConnections(false);
    expect((await asked).kind).toBe('granted');
  });
});

describe('the keys of the service', () => {
  it('are ignored when the application pins other keys', async () => {
    const keys = {
      keys: [{ kid: 'test-1', kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
    };
    expect(await open({ keys }).checkout(STUDIO)).toMatchObject({ kind: 'refused', code: 'unproven' });
    expect(events.map(({ kind }) => kind)).toEqual(['unproven']);
    await eventually('the seat is released', async () => (await world.counts('studio')).taken === 0);
  });

  it('are fetched once and verify every token', async () => {
    const asked: string[] = [];
    const client = open({ onResponse: ({ kind }) => asked.push(kind) });
    await granted(client);
    await granted(client);
    expect(asked.filter((kind) => kind === 'keys')).toHaveLength(1);
  });
});

describe('a draining server', () => {
  it('sends its client with the lease to the next server', async () => {
    const next = await world.startGranting();
    const client = open({ addresses: [oregon.address, next.address] });
    const lease = await granted(client);
    const [serving, other] = lease.servedBy === oregon.name ? [oregon, next] : [next, oregon];
    await serving.stop();
    await eventually('served by the other', () => lease.servedBy === other.name);
    expect(lease.state).toBe('held');
    expect(events.map(({ kind }) => kind)).not.toContain('grace');
    expect(await world.counts('studio')).toMatchObject({ taken: 1 });
  });
});
