import { betweenCalls, Killed, killedAt } from '@evergrant/test-support/controller/between-calls';
import { MemoryWorld, POLICY } from '@evergrant/test-support/controller/memory-world';
import type { FailbackStage } from '../src/core/operations';
import { request } from '../src/operator-commands';

const STEP_MS = 100;
const OPERATOR = { by: 'tester', reason: 'test' };

/**
 * Runs a controller that dies at its n-th point, and its successor until `done`. Returns false when the first one
 * finished before.
 */
async function finishesAfterDeath(world: MemoryWorld, moment: number, done: () => boolean): Promise<boolean> {
  const death = killedAt(moment);
  while (!death.reached && !done()) {
    try {
      await world.cycle((ports) => betweenCalls(ports, death), 'first');
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    world.pass(world.record.operation === undefined ? POLICY.sampleEveryMs : 100);
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
  world.kill('oregon');
  await world.cycleUntil(() => world.record.lastOperation !== undefined);
  world.revive('oregon');
  return world;
}

async function stage(world: MemoryWorld, name: FailbackStage): Promise<void> {
  await request(world.ports(), { kind: 'failback', stage: name }, OPERATOR);
  await world.cycleUntil(() => world.record.failbackDoneAtMs[name] !== undefined, { cyclesMax: 100 });
}

describe('controller killed between any two calls of a failover', () => {
  it('has its failover completed by the next one, with one epoch and one promotion', async () => {
    let moments = 0;
    for (let isReached = true; isReached; moments += 1) {
      const world = new MemoryWorld();
      world.kill('oregon');
      isReached = await finishesAfterDeath(world, moments, () => world.record.lastOperation !== undefined);
      expectOneFailover(world);
    }
    expect(moments).toBeGreaterThan(100);
  });

  it('leaves no alert unsent', async () => {
    for (let moment = 0; moment < 160; moment += 1) {
      const world = new MemoryWorld();
      world.kill('oregon');
      await finishesAfterDeath(world, moment, () => world.record.lastOperation !== undefined);
      await world.cycleUntil(() => world.record.unsentAlerts.length === 0, { cyclesMax: 20 });
      const codes = new Set(world.alerts.map(({ code }) => code));
      expect(codes).toEqual(new Set(['fail-over', 'failover-done']));
    }
  });
});

describe('controller killed between the decision and the start of a failover', () => {
  async function decided(): Promise<MemoryWorld> {
    const world = new MemoryWorld();
    world.kill('oregon');
    await world.cycleUntil(() => world.record.operation !== undefined);
    expect(world.authority.epoch).toBe(1);
    return world;
  }
  const cycles = async (world: MemoryWorld, count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      await world.cycle();
      world.pass(POLICY.sampleEveryMs);
    }
  };

  it('does not fail over a region that came back: its successor cancels the failover and stays armed', async () => {
    const world = await decided();
    world.revive('oregon');
    world.pass(3_600_000);
    await cycles(world, 1);
    expect(world.record).toMatchObject({
      operation: undefined,
      confirmation: undefined,
      automation: { state: 'armed' },
    });
    expect(world.record.lastOperation).toMatchObject({ outcome: 'abandoned', automatic: true });
    await cycles(world, 20);
    expect(world.effects).toEqual([]);
    expect(world.grants('oregon')).toBe(true);
    expect(world.alerts.map(({ code, severity }) => [code, severity])).toEqual([
      ['fail-over', 'critical'],
      ['failover-abandoned', 'warning'],
    ]);
    expect(world.history.filter(({ kind }) => kind === 'operation-ended')).toHaveLength(1);
  });

  it('has a successor that confirms the outage again when the region is still down', async () => {
    const world = await decided();
    world.pass(3_600_000);
    await cycles(world, POLICY.samplesToConfirm);
    expect(world.effects).toEqual([]);
    await world.cycleUntil(() => world.record.lastOperation?.outcome === 'done');
    expectOneFailover(world);
  });

  it('has a successor that continues at once when it starts within the sample gap', async () => {
    const world = await decided();
    world.pass(POLICY.sampleGapMaxMs - STEP_MS);
    await world.cycleUntil(() => world.record.lastOperation !== undefined);
    expect(world.record.lastOperation?.outcome).toBe('done');
    expectOneFailover(world);
  });

  it('does not stop a manual failover, however late its successor starts', async () => {
    const world = new MemoryWorld();
    await request(world.ports(), { kind: 'failover' }, OPERATOR);
    await world.cycle();
    world.pass(3_600_000);
    await world.cycleUntil(() => world.record.lastOperation !== undefined);
    expect(world.record.lastOperation).toMatchObject({ outcome: 'done', automatic: false });
    expect(world.grants('virginia')).toBe(true);
  });

  it('has a latched failover continued, however late its successor starts', async () => {
    const world = await decided();
    await world.cycle();
    expect(world.authority.epoch).toBe(2);
    world.revive('oregon');
    world.pass(3_600_000);
    await world.cycleUntil(() => world.record.lastOperation !== undefined);
    expect(world.record.lastOperation?.outcome).toBe('done');
    expectOneFailover(world);
  });

  it('has its failover continued when its latch arrives after another controller cancelled the failover', async () => {
    const world = await decided();
    const { operation } = world.record;
    world.pass(POLICY.sampleGapMaxMs + STEP_MS);
    await world.cycle();
    expect(world.record.lastOperation?.outcome).toBe('abandoned');
    const late = { fromEpoch: 1, region: 'virginia', operationId: operation?.id ?? '' } as const;
    expect(await world.ports().authority.latch(late)).toBe('written');
    await world.cycleUntil(() => world.record.lastOperation?.outcome === 'done');
    expect(world.record.lastOperation?.id).toBe(operation?.id);
    expectOneFailover(world);
    expect(world.alerts.map(({ code }) => code)).toEqual([
      'fail-over',
      'failover-abandoned',
      'failover-started',
      'failover-done',
    ]);
  });
});

describe('controller killed between any two calls of a switchover', () => {
  it('has its switchover completed by the next one, without loss', async () => {
    let moments = 0;
    for (let isReached = true; isReached; moments += 1) {
      const world = await failedOver();
      for (const name of ['confirm-fence', 'archive-database', 'follow'] as const) await stage(world, name);
      await request(world.ports(), { kind: 'failback', stage: 'switchover' }, OPERATOR);
      isReached = await finishesAfterDeath(world, moments, () => world.record.lastOperation?.kind === 'switchover');
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
