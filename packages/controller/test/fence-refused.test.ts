import { MemoryWorld, POLICY } from '@evergrant/test-support/controller/memory-world';
import { ask, cycles, isOver } from '@evergrant/test-support/controller/operating';

describe('router that can be read and refuses its fence', () => {
  async function refused(world: MemoryWorld): Promise<void> {
    world.routerRefuses.oregon = true;
    for (let index = 0; index < 300 && !isOver(world)(); index += 1) {
      await world.cycle();
      expect([world.grants('oregon'), world.grants('virginia')]).not.toEqual([true, true]);
      world.pass(world.record.operation === undefined ? POLICY.sampleEveryMs : 100);
    }
    expect(world.record.lastOperation).toMatchObject({ outcome: 'done', evidence: { fence: 'pending' } });
  }

  it("delays the failover of a dead region only up to the policy's limit, then the fence is pending, with an alert", async () => {
    const world = new MemoryWorld();
    world.apps.oregon = 'down';
    world.databases.oregon.alive = false;
    await refused(world);
    const fence = world.record.lastOperation?.timeline.find(({ phase }) => phase === 'fence');
    const tookMs = (fence?.leftAtMs ?? Number.NaN) - (fence?.enteredAtMs ?? Number.NaN);
    expect(tookMs).toBeGreaterThanOrEqual(POLICY.fenceMaxMs);
    expect(tookMs).toBeLessThan(POLICY.fenceMaxMs + POLICY.sampleEveryMs);
    expect(world.grants('virginia')).toBe(true);
    expect(world.record.pendingFences).toMatchObject([{ region: 'oregon', epoch: 2 }]);
    const done = world.alerts.find(({ code }) => code === 'failover-done');
    expect(done?.text).toContain('the fence of oregon is pending');
  });

  it('never lets both regions grant while the old one is alive and called: its proofs expire first', async () => {
    const world = new MemoryWorld();
    await cycles(world, 2);
    await ask(world, { kind: 'failover' });
    await cycles(world, 1);
    await refused(world);
    expect(world.acls.oregon).toEqual({ kind: 'serve' });
    expect(world.grants('virginia')).toBe(true);
  });

  it('is fenced again on every cycle until the pending fence is applied', async () => {
    const world = new MemoryWorld();
    world.apps.oregon = 'down';
    world.databases.oregon.alive = false;
    await refused(world);
    await cycles(world, 20);
    expect(world.record.pendingFences).toHaveLength(1);
    world.routerRefuses.oregon = false;
    await cycles(world, 3);
    expect(world.record.pendingFences).toEqual([]);
    expect(world.acls.oregon).toEqual({ kind: 'fence', activeRegion: 'virginia' });
  });
});
