import { MemoryWorld } from '@evergrant/test-support/controller/memory-world';
import { ask, cycles, isOver } from '@evergrant/test-support/controller/operating';

describe('follower lost during normal operation', () => {
  async function restore(world: MemoryWorld): Promise<void> {
    await ask(world, { kind: 'failback', stage: 'restore-follower' });
    const isCarriedOut = (): boolean => world.record.request === undefined && world.record.operation === undefined;
    await world.cycleUntil(isCarriedOut, { cyclesMax: 600 });
    expect(world.record.lastOperation).toMatchObject({ kind: 'restore-follower', outcome: 'done' });
  }

  it('is archived and created again, although the service still reports a follower', async () => {
    const world = new MemoryWorld();
    world.databases.virginia.linked = false;
    await cycles(world, 10);
    await restore(world);
    expect(world.effects.map(({ what, detail }) => `${what} ${detail}`)).toEqual([
      'archived virginia',
      'building virginia',
    ]);
    expect(world.databases.virginia).toMatchObject({ role: 'follower', streaming: true });
    expect(world.grants('oregon')).toBe(true);
    expect(world.authority.epoch).toBe(1);
  });

  it('stays in place when it only returns late', async () => {
    const world = new MemoryWorld();
    world.databases.virginia.linked = false;
    await cycles(world, 10);
    await ask(world, { kind: 'failback', stage: 'restore-follower' });
    await world.cycleUntil(() => world.record.operation !== undefined);
    await cycles(world, 10);
    world.databases.virginia.linked = true;
    await world.cycleUntil(isOver(world));
    expect(world.effects).toEqual([]);
  });

  it('can be restored repeatedly, with the automation armed and without a failback', async () => {
    const world = new MemoryWorld();
    await restore(world);
    world.databases.virginia.linked = false;
    await restore(world);
    expect(world.record).toMatchObject({ automation: { state: 'armed' }, failbackDoneAtMs: {} });
    world.kill('oregon');
    await world.cycleUntil(() => world.authority.epoch === 2);
  });
});
