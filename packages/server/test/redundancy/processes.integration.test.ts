/** The triad with real signals. */
import { eventually } from '@evergrant/test-support/eventually';
import { TestWorld } from '@evergrant/test-support/server/test-world';
import { REDUNDANT, SERVERS } from '@evergrant/test-support/server/triads';
import { checkoutAt, heartbeatAt, Processes, type ServerProcess, whoGrants } from './processes';

jest.setTimeout(120_000);

let world: TestWorld;
let processes: Processes;
let servers: ServerProcess[];

beforeEach(async () => {
  world = await TestWorld.create(REDUNDANT);
  processes = new Processes(world);
  servers = await Promise.all(SERVERS.map((name) => processes.start(name)));
});

afterEach(async () => {
  processes.remove();
  await world.close();
});

const without = (...gone: ServerProcess[]): ServerProcess[] => servers.filter((server) => !gone.includes(server));

it('triad: survives one SIGKILL, and stops granting after a second one', async () => {
  const { by: first, leaseId } = await whoGrants(servers);
  first.child.kill('SIGKILL');
  const killedAt = performance.now();
  const { by: second } = await whoGrants(without(first));
  // The lease on control and the skew are 3.5 s; the machine of a test may be slow.
  expect(performance.now() - killedAt).toBeLessThan(15_000);
  expect((await heartbeatAt(second, leaseId)).status).toBe(200);

  second.child.kill('SIGKILL');
  const [last] = without(first, second);
  const refused = await eventually('it has no quorum', async () => {
    const answer = await checkoutAt(last!);
    expect(answer.status).toBe(503);
    return answer.code === 'no_quorum' ? answer : undefined;
  });
  expect(refused.code).toBe('no_quorum');
  expect((await heartbeatAt(last!, leaseId)).code).toBe('no_quorum');

  const back = await processes.start(first.name);
  await whoGrants([last!, back]);
  const renewed = await eventually('its lease is renewed', async () => {
    const answers = await Promise.all([last!, back].map((server) => heartbeatAt(server, leaseId)));
    return answers.find(({ status }) => status === 200);
  });
  expect(renewed.leaseId).toBe(leaseId);
});

it('triad: a server that was stopped holds no term afterwards', async () => {
  const { by: first } = await whoGrants(servers);
  first.child.kill('SIGSTOP');
  const { by: second } = await whoGrants(without(first));
  // Asked while it sleeps: these are the first things that it sees when it wakes.
  const asked = Array.from({ length: 5 }, () => checkoutAt(first));
  first.child.kill('SIGCONT');
  for (const answer of await Promise.all(asked)) expect(answer).toMatchObject({ status: 503 });
  expect((await checkoutAt(second)).status).toBe(201);
  const { live, taken } = await world.counts('triad-studio');
  expect(taken).toBe(live);
});
