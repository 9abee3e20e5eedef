import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { Processes, type Started } from '@evergrant/test-support/server/processes';
import { PRODUCT, SIGNING_KEY, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { Agent, request } from 'undici';

let processes: Processes;
let world: TestWorld;

beforeAll(async () => {
  processes = new Processes();
  world = await TestWorld.create();
});

afterAll(async () => {
  processes.end();
  await world.close();
});

function serverEnvironment(): Record<string, string> {
  const database = world.database.address('evergrant_server');
  const authority = world.authority.database.address('evergrant_server');
  return {
    EVERGRANT_REGION: 'oregon',
    EVERGRANT_SERVER: 'oregon/app-1',
    EVERGRANT_PORT_LISTEN: '0',
    EVERGRANT_DATABASE_HOST: database.host,
    EVERGRANT_DATABASE_PORT: String(database.port),
    EVERGRANT_DATABASE_NAME: database.name,
    EVERGRANT_DATABASE_USER: database.user,
    EVERGRANT_AUTHORITY_HOST: authority.host,
    EVERGRANT_AUTHORITY_PORT: String(authority.port),
    EVERGRANT_AUTHORITY_NAME: authority.name,
    EVERGRANT_AUTHORITY_USER: authority.user,
    EVERGRANT_SECRETS_FILE: processes.file('secrets.json', {
      databasePassword: database.password,
      authorityPassword: authority.password,
      signingKeys: { keys: [SIGNING_KEY] },
      deploymentKeys: { keys: [world.vendor.deployment] },
    }),
    EVERGRANT_LICENSE_TRUST_FILE: processes.file('trust.json', world.vendor.trust),
    // One region alone: there is no follower that an answer could wait for.
    EVERGRANT_REGION_ADDRESSES: JSON.stringify({ oregon: 'http://oregon.test' }),
    EVERGRANT_AUTHORITY_LEASE_MS: '3000',
    EVERGRANT_RENEWAL_EVERY_MS: '300',
    EVERGRANT_SKEW_MS: '500',
    EVERGRANT_LOG_LEVEL: 'debug',
  };
}

async function addressOf(started: Started): Promise<string> {
  const line = await eventually('it has started', () =>
    started.lines.find((seen) => seen.announce === 'oregon/app-1 started'),
  );
  return String(line.address);
}

async function grants(address: string): Promise<boolean> {
  const { body } = await request(`${address}/v1/status`);
  return ((await body.json()) as { granting: boolean }).granting;
}

describe('a server process', () => {
  it('drains on SIGTERM: what is in flight is finished, and it ends well before its deadline', async () => {
    const started = processes.start('main.js', serverEnvironment());
    const address = await addressOf(started);
    await eventually('it grants', () => grants(address));
    const agent = new Agent({ connections: 16 });
    const answers: { status: number; leaseId: string }[] = [];
    let refusedConnections = 0;
    let going = true;
    const clients = Array.from({ length: 16 }, async () => {
      while (going) {
        const leaseId = randomUUID();
        try {
          const { statusCode, body } = await request(`${address}/v1/leases/${leaseId}`, {
            method: 'PUT',
            dispatcher: agent,
            headers: { authorization: `Bearer ${TOKENS.client}`, 'content-type': 'application/json' },
            body: JSON.stringify({ product: PRODUCT, feature: 'runner', seats: 1, holder: 'room' }),
          });
          await body.dump();
          answers.push({ status: statusCode, leaseId });
        } catch {
          refusedConnections += 1;
          return;
        }
      }
    });
    await eventually('there is traffic', () => answers.length > 50);
    const askedAt = performance.now();
    started.child.kill('SIGTERM');
    expect(await started.exited).toBe(0);
    expect(performance.now() - askedAt).toBeLessThan(10_000);
    going = false;
    await Promise.all(clients);
    await agent.close();

    expect(started.lines).toContainEqual(
      expect.objectContaining({ announce: 'oregon/app-1 is draining', signal: 'SIGTERM' }),
    );
    // Up to the end every request was either answered properly or met a closed door.
    expect(answers.filter((answer) => answer.status !== 201 && answer.status !== 409)).toEqual([]);
    expect(refusedConnections).toBeGreaterThan(0);
    const kept = await world.database.query<{ id: string }>('select id from lease');
    const known = new Set(kept.map((row) => row.id));
    expect(answers.filter((answer) => answer.status === 201 && !known.has(answer.leaseId))).toEqual([]);
  });

  it('finishes requests in flight after SIGTERM', async () => {
    const started = processes.start('main.js', serverEnvironment());
    const address = await addressOf(started);
    await eventually('it grants', () => grants(address));
    await world.database.as('evergrant_owner', async (client) => {
      await client.query(`begin; select from pool where feature = 'studio' for update`);
      const inFlight = request(`${address}/v1/leases/${randomUUID()}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${TOKENS.client}`, 'content-type': 'application/json' },
        body: JSON.stringify({ product: PRODUCT, feature: 'studio', seats: 1, holder: 'room' }),
      });
      await eventually('the request waits for its pool', async () => {
        const waiting = await world.database.as('evergrant_admin', (admin) =>
          admin.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
        );
        return waiting.rowCount === 1;
      });
      started.child.kill('SIGTERM');
      await eventually('it drains', () => started.lines.some((line) => line.announce === 'oregon/app-1 is draining'));
      await client.query('commit');
      expect((await inFlight).statusCode).toBe(201);
    });
    expect(await started.exited).toBe(0);
  });

  it('never writes a secret into its log', async () => {
    const environment = serverEnvironment();
    const started = processes.start('main.js', { ...environment, EVERGRANT_LOG_LEVEL: 'trace' });
    const address = await addressOf(started);
    await eventually('it grants', () => grants(address));
    const call = async (method: 'PUT' | 'POST' | 'DELETE', path: string, body: unknown, token = TOKENS.client) => {
      const answer = await request(`${address}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return (await answer.body.text().then((text) => (text ? JSON.parse(text) : {}))) as { token?: string };
    };
    await world.database.query(`update lease set state = 'released', ended_at = now() where state = 'live'`);
    const path = `/v1/leases/${randomUUID()}`;
    const { token = 'no token' } = await call('PUT', path, {
      product: PRODUCT,
      feature: 'runner',
      seats: 1,
      holder: 'room',
    });
    await call('POST', `${path}/heartbeat`, { token });
    await call('PUT', path, { product: 7, token });
    await call('DELETE', path, { token }, TOKENS.reader);
    await world.database.refuseConnections(true);
    await call('DELETE', path, { token });
    await world.database.refuseConnections(false);
    started.child.kill('SIGTERM');
    await started.exited;

    expect(token.split('.')).toHaveLength(3);
    const { password } = world.database.address('evergrant_server');
    for (const secret of [token, TOKENS.client, TOKENS.reader, password, String(SIGNING_KEY.d)]) {
      expect(started.output.includes(secret)).toBe(false);
    }
  });

  it('names every mistake of its environment at once, and no secret', async () => {
    const started = processes.start('main.js', {
      ...serverEnvironment(),
      EVERGRANT_REGION: '',
      EVERGRANT_PORT_LISTEN: 'eighty',
      EVERGRANT_AUTHORITY_LEASE_MS: '100',
      EVERGRANT_REGION_ADDRESSES: '{',
      EVERGRANT_SECRETS_FILE: processes.file('half.json', {
        databasePassword: 'hush-hush',
        signingKeys: { keys: [{ kty: 'RSA' }] },
        deploymentKeys: { keys: [world.vendor.key] },
      }),
      EVERGRANT_LICENSE_TRUST_FILE: processes.file('half-trust.json', { roots: [world.vendor.deployment], seats: 7 }),
    });
    expect(await started.exited).toBe(1);
    for (const mistake of [
      'EVERGRANT_REGION is missing',
      'EVERGRANT_PORT_LISTEN must be a whole number from 0 to 65535, not "eighty"',
      'EVERGRANT_REGION_ADDRESSES is not JSON',
      'EVERGRANT_SECRETS_FILE: authorityPassword is missing',
      'EVERGRANT_SECRETS_FILE: signingKeys.keys must be private Ed25519 JSON Web Keys with a kid',
      'EVERGRANT_RENEWAL_EVERY_MS must be shorter than EVERGRANT_AUTHORITY_LEASE_MS',
      'EVERGRANT_SECRETS_FILE: deploymentKeys.keys.0 must be a deployment key, but it is a vendor key',
      'EVERGRANT_LICENSE_TRUST_FILE: seats is an unknown property',
    ]) {
      expect(started.output).toContain(mistake);
    }
    expect(started.output).not.toContain('hush-hush');
  });
});
