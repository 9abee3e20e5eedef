import type { Region } from '@evergrant/core/regions';
import { MemoryWorld, POLICY } from '@evergrant/test-support/controller/memory-world';
import { ask, codes, cycles, isOver, kind } from '@evergrant/test-support/controller/operating';
import type { Command } from '../src/core/requests';
import { arm, request } from '../src/operator-commands';

const OPERATOR = { by: 'ada', reason: 'test' };

/** Sends a command and waits until it is answered and no operation is in progress. */
async function run(world: MemoryWorld, command: Command): Promise<void> {
  await ask(world, command);
  await world.cycleUntil(() => world.record.request === undefined && world.record.operation === undefined);
}

async function failedOver(): Promise<MemoryWorld> {
  const world = new MemoryWorld();
  world.kill('oregon');
  await world.cycleUntil(isOver(world));
  return world;
}

async function rejoined(): Promise<MemoryWorld> {
  const world = await failedOver();
  world.revive('oregon');
  await run(world, { kind: 'rejoin' });
  return world;
}

describe('controller: both regions alike', () => {
  it('rejoins the lost region, and the pair is protected and can be armed in the new direction', async () => {
    const world = await failedOver();
    await cycles(world, 2);
    expect(kind(world)).toBe('not_rejoined');
    expect((await arm(world.ports(), OPERATOR)).kind).toBe('refused');
    world.revive('oregon');
    await run(world, { kind: 'rejoin' });
    expect(world.record.lastOperation).toMatchObject({ kind: 'rejoin', outcome: 'done' });
    expect(world.databases.oregon.role).toBe('follower');
    expect(world.record.pendingFences).toEqual([]);
    await cycles(world, 2);
    expect(kind(world)).toBe('healthy');
    expect((await arm(world.ports(), OPERATOR)).kind).toBe('done');
  });

  it('fails over automatically to Oregon when Virginia is lost after a rejoin', async () => {
    const world = await rejoined();
    await arm(world.ports(), OPERATOR);
    world.kill('virginia');
    await world.cycleUntil(
      () => world.record.lastOperation?.kind === 'failover' && world.record.operation === undefined,
    );
    expect(world.authority).toMatchObject({ epoch: 3, region: 'oregon' });
    expect(world.grants('oregon')).toBe(true);
    expect(world.acls.oregon).toEqual({ kind: 'serve' });
    expect(world.edge).toBe('oregon');
    expect(world.record.automation.state).toBe('disarmed');
  });

  it('is not armed by the rejoin: the loss of Virginia is withheld, and a manual failover brings Oregon back', async () => {
    const world = await rejoined();
    world.kill('virginia');
    await cycles(world, POLICY.samplesToConfirm * 2 + 6);
    expect(kind(world)).toBe('withheld');
    await run(world, { kind: 'failover' });
    expect(world.grants('oregon')).toBe(true);
  });

  it('changes the active region three times there and back, one epoch each', async () => {
    const world = new MemoryWorld();
    let active: Region = 'oregon';
    for (let turn = 1; turn <= 6; turn += 1) {
      const other: Region = active === 'oregon' ? 'virginia' : 'oregon';
      await cycles(world, 2);
      world.kill(active);
      await run(world, { kind: 'failover', to: other });
      expect(world.authority).toMatchObject({ epoch: turn + 1, region: other });
      expect(world.grants(other)).toBe(true);
      world.revive(active);
      await run(world, { kind: 'rejoin' });
      expect(world.databases[active].role).toBe('follower');
      active = other;
    }
  });

  it('switches over in both directions without a loss', async () => {
    const world = new MemoryWorld();
    for (const to of ['virginia', 'oregon'] as const) {
      await run(world, { kind: 'switchover', to });
      expect(world.record.lastOperation).toMatchObject({ kind: 'switchover', outcome: 'done', toRegion: to });
      expect(world.record.lastOperation?.evidence.carriedOver).toBe('everything');
      expect(world.grants(to)).toBe(true);
      await run(world, { kind: 'rejoin' });
    }
  });

  it('brings Oregon back with its old database when Virginia is lost before the rejoin and the loss is accepted', async () => {
    const world = await failedOver();
    world.revive('oregon');
    world.kill('virginia');
    await run(world, { kind: 'failover', to: 'oregon' });
    expect(world.record.lastAnswer).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('failover --to oregon --accept-loss'),
    });
    await run(world, { kind: 'failover', to: 'oregon', acceptLoss: true });
    expect(world.authority).toMatchObject({ epoch: 3, region: 'oregon' });
    expect(world.grants('oregon')).toBe(true);
    expect(world.record.lastOperation?.summary).toContain('did not follow');
  });
});

describe('controller: an operation whose regions are lost halfway', () => {
  async function switchoverUntil(phase: string): Promise<MemoryWorld> {
    const world = await rejoined();
    await ask(world, { kind: 'switchover' });
    await world.cycleUntil(() => world.record.operation?.phase === phase);
    if (phase === 'drain') {
      world.databases.oregon.linked = false;
      world.databases.virginia.lsn += 1_000;
    }
    return world;
  }

  it('finishes a switchover whose origin is lost after it closed its epoch, by a failover', async () => {
    const world = await switchoverUntil('drain');
    await cycles(world, 3);
    expect(world.databases.virginia.closedEpochs).toContain(2);
    world.kill('virginia');
    await cycles(world, 3);
    await run(world, { kind: 'failover', to: 'oregon' });
    expect(world.record.lastOperation).toMatchObject({ kind: 'failover', outcome: 'done', toRegion: 'oregon' });
    expect(world.record.lastOperation?.evidence.originClosedAtMs).toBeDefined();
    expect(world.grants('oregon')).toBe(true);
  });

  it('finishes it also after the abort that waits for the lost region', async () => {
    const world = await switchoverUntil('drain');
    await cycles(world, 3);
    world.kill('virginia');
    await ask(world, { kind: 'abort' });
    await world.cycleUntil(() => world.record.operation?.kind === 'reopen' && world.authority.epoch === 3);
    await cycles(world, 5);
    await run(world, { kind: 'failover', to: 'oregon' });
    expect(world.authority).toMatchObject({ epoch: 4, region: 'oregon' });
    expect(world.grants('oregon')).toBe(true);
  });

  it('undoes a switchover whose target is lost after its promotion: the origin gets a new epoch', async () => {
    const world = await switchoverUntil('promote');
    world.kill('oregon');
    await cycles(world, 5);
    await run(world, { kind: 'failover', to: 'virginia', acceptLoss: true });
    expect(world.record.lastOperation).toMatchObject({ kind: 'reopen', outcome: 'done' });
    expect(world.grants('virginia')).toBe(true);
    await cycles(world, 2);
    expect(kind(world)).toBe('not_rejoined');
  });

  it('undoes a failover whose target is lost', async () => {
    const world = new MemoryWorld();
    await cycles(world, 2);
    world.kill('oregon');
    await ask(world, { kind: 'failover' });
    await world.cycleUntil(() => world.authority.epoch === 2);
    world.kill('virginia');
    world.revive('oregon');
    await cycles(world, 5);
    await run(world, { kind: 'failover', to: 'oregon', acceptLoss: true });
    expect(world.authority).toMatchObject({ epoch: 3, region: 'oregon' });
    expect(world.grants('oregon')).toBe(true);
  });

  it('answers no request with `already done` while no region grants', async () => {
    const world = await rejoined();
    world.kill('virginia');
    for (const command of [
      { kind: 'failover', to: 'virginia' },
      { kind: 'switchover', to: 'virginia' },
    ] as const) {
      const { requestId } = await request(world.ports(), command, OPERATOR);
      await cycles(world, 1);
      expect(world.record.lastAnswer).toMatchObject({ request: { id: requestId }, outcome: 'refused' });
    }
    expect(codes(world)).not.toContain('failover-started');
  });
});
