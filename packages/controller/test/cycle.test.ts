import { MemoryWorld } from '@evergrant/test-support/controller/memory-world';
import { request } from '../src/operator-commands';

const settled = (world: MemoryWorld) => () =>
  world.record.lastOperation !== undefined && world.record.operation === undefined;

describe('failover, from the first lost sample to the report', () => {
  it('moves authority, database, fence and public address to Virginia', async () => {
    const world = new MemoryWorld();
    await world.cycle();
    expect(world.record.verdictState?.verdict.kind).toBe('healthy');
    world.kill('oregon');
    await world.cycleUntil(settled(world));
    expect(world.authority).toMatchObject({ epoch: 2, region: 'virginia' });
    expect(world.grants('virginia')).toBe(true);
    expect(world.edge).toBe('virginia');
    expect(world.acls.virginia).toEqual({ kind: 'serve' });
    expect(world.record.automation.state).toBe('disarmed');
    expect(world.record.lastOperation).toMatchObject({ outcome: 'done', kind: 'failover', automatic: true });
    expect(world.effects.map(({ what }) => what)).toEqual(['latch', 'promote', 'open', 'serve', 'point_edge']);
  });

  it('applies the pending fence when Oregon returns days later', async () => {
    const world = new MemoryWorld();
    world.kill('oregon');
    await world.cycleUntil(settled(world));
    expect(world.record.pendingFences).toMatchObject([{ region: 'oregon' }]);
    world.pass(3 * 86_400_000);
    world.revive('oregon');
    await world.cycleUntil(() => world.record.pendingFences.length === 0, { cyclesMax: 5 });
    expect(world.acls.oregon).toEqual({ kind: 'fence', activeRegion: 'virginia' });
    expect(world.grants('oregon')).toBe(false);
  });

  it('fails over and fails back, stage by stage, and arms', async () => {
    const world = new MemoryWorld();
    world.kill('oregon');
    await world.cycleUntil(settled(world));
    world.revive('oregon');
    for (const stage of [
      'confirm-fence',
      'archive-database',
      'follow',
      'switchover',
      'restore-follower',
      'arm',
    ] as const) {
      const asked = await request(world.ports(), { kind: 'failback', stage }, { by: 'tester', reason: 'test' });
      expect(asked.effect.kind).toBe('done');
      await world.cycleUntil(() => world.record.failbackDoneAtMs[stage] !== undefined, { cyclesMax: 60 });
    }
    expect(world.authority).toMatchObject({ epoch: 3, region: 'oregon' });
    expect(world.grants('oregon')).toBe(true);
    expect(world.grants('virginia')).toBe(false);
    expect(world.databases.virginia.role).toBe('follower');
    expect(world.record.automation.state).toBe('armed');
  });
});
