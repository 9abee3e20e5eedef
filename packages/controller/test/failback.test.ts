import { MemoryWorld } from '@evergrant/test-support/controller/memory-world';
import { ask, codes, cycles, isOver } from '@evergrant/test-support/controller/operating';

describe('after a failover', () => {
  async function failedOver(): Promise<MemoryWorld> {
    const world = new MemoryWorld();
    world.kill('oregon');
    await world.cycleUntil(isOver(world));
    return world;
  }

  it('alerts on failures of Virginia, and never fails back automatically', async () => {
    const world = await failedOver();
    world.revive('oregon');
    await cycles(world, 5);
    expect(world.record.verdictState?.verdict).toMatchObject({ kind: 'not_rejoined', watch: 'well' });
    world.apps.virginia = 'down';
    world.databases.virginia.alive = false;
    const effects = world.effects.length;
    await cycles(world, 100);
    expect(world.effects).toHaveLength(effects);
    expect(codes(world)).toContain('standby-both-down');
  });

  it('stores a report with the time of each phase and the evidence', async () => {
    const world = await failedOver();
    const report = world.record.lastOperation!;
    expect(report.timeline.map(({ phase }) => phase)).toEqual([
      'latch',
      'fence',
      'drain',
      'promote',
      'verify',
      'open',
      'switch',
      'complete',
    ]);
    for (const entry of report.timeline) expect(entry.leftAtMs).toBeGreaterThanOrEqual(entry.enteredAtMs);
    expect(report.evidence).toMatchObject({
      fence: 'pending',
      carriedOver: 'all_received',
      receivedLsn: expect.any(String),
    });
    expect(report.summary).toContain('did not arrive');
    const kinds = world.history.map((entry) => entry.kind);
    expect(kinds.filter((each) => each === 'phase')).toHaveLength(8);
    expect(kinds).toEqual(
      expect.arrayContaining(['verdict', 'operation-started', 'operation-ended', 'pending-fence', 'alert']),
    );
  });

  it('drops a pending fence when the region has authority again', async () => {
    const world = await failedOver();
    world.authority = {
      ...world.authority,
      epoch: 3,
      region: 'oregon',
      operationId: 'by-hand',
      opensAtMs: world.nowMs,
    };
    await cycles(world, 3);
    expect(world.record.pendingFences).toEqual([]);
    expect(world.acls.oregon).toEqual({ kind: 'serve' });
  });

  it('samples at the usual interval although a router could not be fenced', async () => {
    const world = new MemoryWorld();
    const looks: string[] = [];
    world.kill('oregon');
    await world.cycleUntil(isOver(world), {
      wrap: (ports) => {
        const acl: typeof ports.routers.acl = (region) => {
          looks.push(region);
          return ports.routers.acl(region);
        };
        return { ...ports, routers: { ...ports.routers, acl } };
      },
    });
    expect(looks.filter((region) => region === 'oregon')).toHaveLength(1);
  });

  it('applies the pending fence also during an operation', async () => {
    const world = await failedOver();
    await ask(world, { kind: 'failback', stage: 'confirm-fence' });
    await cycles(world, 3);
    expect(world.record.operation?.kind).toBe('confirm-fence');
    world.revive('oregon');
    await cycles(world, 20);
    expect(world.record.pendingFences).toEqual([]);
    expect(world.record.failbackDoneAtMs['confirm-fence']).toBeDefined();
  });
});

describe('switchover that cannot complete', () => {
  async function readyToSwitchover(): Promise<MemoryWorld> {
    const world = new MemoryWorld();
    world.kill('oregon');
    await world.cycleUntil(isOver(world));
    world.revive('oregon');
    for (const stage of ['confirm-fence', 'archive-database', 'follow'] as const) {
      await ask(world, { kind: 'failback', stage });
      await world.cycleUntil(() => world.record.failbackDoneAtMs[stage] !== undefined, { cyclesMax: 60 });
    }
    return world;
  }

  it('keeps granting in Virginia while Oregon could not take over', async () => {
    const world = await readyToSwitchover();
    world.apps.oregon = 'down';
    await ask(world, { kind: 'failback', stage: 'switchover' });
    await cycles(world, 20);
    expect(world.record.operation?.phase).toBe('preflight');
    expect(world.grants('virginia')).toBe(true);
    await ask(world, { kind: 'abort' });
    await cycles(world, 2);
    expect(world.record.lastOperation?.outcome).toBe('abandoned');
    expect(world.authority.epoch).toBe(2);
  });

  it('waits for the last byte without a limit, and when aborted Virginia grants in a new epoch', async () => {
    const world = await readyToSwitchover();
    world.databases.oregon.replayPaused = false;
    await ask(world, { kind: 'failback', stage: 'switchover' });
    await world.cycleUntil(() => world.record.operation?.phase === 'drain');
    world.databases.oregon.linked = false;
    world.databases.virginia.lsn += 1_000;
    await cycles(world, 400);
    expect(world.record.operation?.phase).toBe('drain');
    expect(world.grants('virginia')).toBe(false);
    await ask(world, { kind: 'abort' });
    await world.cycleUntil(() => world.record.lastOperation?.kind === 'reopen');
    expect(world.authority).toMatchObject({ epoch: 3, region: 'virginia' });
    expect(world.grants('virginia')).toBe(true);
    expect(world.databases.oregon.promotions).toBe(0);
    // The switchover can be requested again.
    world.databases.oregon.linked = true;
    await ask(world, { kind: 'failback', stage: 'switchover' });
    await world.cycleUntil(() => world.record.failbackDoneAtMs.switchover !== undefined, { cyclesMax: 60 });
    expect(world.authority).toMatchObject({ epoch: 4, region: 'oregon' });
    expect(world.record.lastOperation?.evidence.carriedOver).toBe('everything');
  });

  it('cannot be aborted once the promotion is recorded', async () => {
    const world = await readyToSwitchover();
    await ask(world, { kind: 'failback', stage: 'switchover' });
    await world.cycleUntil(() => world.record.operation?.phase === 'promote');
    await ask(world, { kind: 'abort' });
    await world.cycleUntil(() => world.record.failbackDoneAtMs.switchover !== undefined, { cyclesMax: 60 });
    expect(world.history).toContainEqual(
      expect.objectContaining({ kind: 'request-answered', detail: expect.objectContaining({ outcome: 'refused' }) }),
    );
    expect(world.grants('oregon')).toBe(true);
  });
});
