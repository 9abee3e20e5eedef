import type { FailbackStage } from '../../lambda/failover/core/operations';
import { request } from '../../lambda/failover/operator';
import { betweenCalls, Killed, killedAt } from './support/between-calls';
import { MemoryWorld, POLICY } from './support/memory-world';

const OPERATOR = { by: 'tester', reason: 'test' };

/** Runs a controller that dies at its n-th moment, and its successor until `done`. False: it was done before that. */
async function finishesAfterDeath(world: MemoryWorld, moment: number, done: () => boolean): Promise<boolean> {
  const death = killedAt(moment);
  while (!death.reached && !done()) {
    try {
      await world.cycle((ports) => betweenCalls(ports, death), 'first');
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    world.pass(world.record.operation === null ? POLICY.sampleEveryMs : 100);
  }
  await world.cycleUntil(done);
  return death.reached;
}

function expectOneFailover(world: MemoryWorld): void {
  expect(world.authority).toMatchObject({ epoch: 2, region: 'virginia' });
  expect(world.count('latch')).toBe(1);
  expect(world.count('open')).toBe(1);
  expect(world.databases.virginia.promotions).toBe(1);
  expect(world.grants('virginia')).toBe(true);
  expect(world.edge).toBe('virginia');
  expect(world.record.automation.state).toBe('disarmed');
  expect(world.record.unsentAlerts.length).toBeLessThanOrEqual(2);
}

async function failedOver(): Promise<MemoryWorld> {
  const world = new MemoryWorld();
  world.killOregon();
  await world.cycleUntil(() => world.record.lastOperation !== null);
  world.reviveOregon();
  return world;
}

async function stage(world: MemoryWorld, name: FailbackStage): Promise<void> {
  await request(world.ports(), { kind: 'failback', stage: name }, OPERATOR);
  await world.cycleUntil(() => world.record.failbackDoneAtMs[name] !== undefined, { cyclesMax: 100 });
}

describe('a controller that dies between any two calls of a failover', () => {
  it('is finished by the next one: one epoch, one promotion, whatever the moment', async () => {
    let moments = 0;
    for (let isReached = true; isReached; moments += 1) {
      const world = new MemoryWorld();
      world.killOregon();
      isReached = await finishesAfterDeath(world, moments, () => world.record.lastOperation !== null);
      expectOneFailover(world);
    }
    expect(moments).toBeGreaterThan(100);
  });

  it('leaves no alert unsent', async () => {
    for (let moment = 0; moment < 160; moment += 1) {
      const world = new MemoryWorld();
      world.killOregon();
      await finishesAfterDeath(world, moment, () => world.record.lastOperation !== null);
      await world.cycleUntil(() => world.record.unsentAlerts.length === 0, { cyclesMax: 20 });
      const codes = new Set(world.alerts.map(({ code }) => code));
      expect(codes).toEqual(new Set(['fail-over', 'failover-done']));
    }
  });
});

describe('a controller that dies between any two calls of a hand-over', () => {
  it('is finished by the next one, and nothing is lost', async () => {
    let moments = 0;
    for (let isReached = true; isReached; moments += 1) {
      const world = await failedOver();
      for (const name of ['confirm-fence', 'keep-old-database', 'follow'] as const) await stage(world, name);
      await request(world.ports(), { kind: 'failback', stage: 'hand-over' }, OPERATOR);
      isReached = await finishesAfterDeath(world, moments, () => world.record.lastOperation?.kind === 'hand-over');
      expect(world.authority).toMatchObject({ epoch: 3, region: 'oregon' });
      expect(world.databases.oregon.promotions).toBe(1);
      expect(world.record.lastOperation?.evidence.carriedOver).toBe('everything');
      expect(world.databases.oregon.lsn).toBeGreaterThanOrEqual(world.databases.virginia.lsn);
      expect(world.grants('oregon')).toBe(true);
      expect(world.grants('virginia')).toBe(false);
      expect(world.acls.virginia).toEqual({ kind: 'fence', activeRegion: 'oregon' });
    }
    expect(moments).toBeGreaterThan(50);
  });
});
