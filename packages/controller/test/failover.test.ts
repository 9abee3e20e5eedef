import { MemoryWorld, POLICY } from '@evergrant/test-support/controller/memory-world';
import { ask, codes, cycles, isOver, kind } from '@evergrant/test-support/controller/operating';

describe('no failover', () => {
  it('when only the application is down, with one alert', async () => {
    const world = new MemoryWorld();
    world.apps.oregon = 'down';
    await cycles(world, 60);
    expect(world.effects).toEqual([]);
    expect(codes(world)).toEqual(['application-down']);
  });

  it('when only the database is down, with one alert and one recovery message', async () => {
    const world = new MemoryWorld();
    world.databases.oregon.alive = false;
    await cycles(world, 60);
    world.databases.oregon.alive = true;
    await cycles(world, 2);
    expect(world.effects).toEqual([]);
    expect(codes(world)).toEqual(['database-down', 'all-clear']);
  });

  it('when Oregon flaps and is never down for a whole window', async () => {
    const world = new MemoryWorld();
    for (let flap = 0; flap < 20; flap += 1) {
      world.kill('oregon');
      await cycles(world, POLICY.samplesToConfirm - 1);
      world.revive('oregon');
      await cycles(world, 1);
    }
    expect(world.effects).toEqual([]);
  });

  it('when only the controller is cut off: the follower streams, servers renew, the witness sees Oregon', async () => {
    const world = new MemoryWorld();
    world.apps.oregon = 'up';
    world.databaseLink.oregon = 'cut';
    const ports = (): ReturnType<MemoryWorld['ports']> => ({
      ...world.ports(),
      apps: { probe: async (region) => ({ reading: region === 'oregon' ? 'down' : 'up', reason: 'cut off' }) },
    });
    for (const witness of ['up', 'unknown', 'down'] as const) {
      world.witnessReading = witness;
      for (let index = 0; index < 30; index += 1) {
        await world.cycle(ports);
        world.pass(POLICY.sampleEveryMs);
      }
    }
    expect(world.effects).toEqual([]);
    expect(world.grants('oregon')).toBe(true);
  });

  it('while the follower still receives from a database that others cannot reach, with an alert', async () => {
    const world = new MemoryWorld();
    world.apps.oregon = 'down';
    world.databaseLink.oregon = 'cut';
    world.databases.oregon.closedEpochs.add(1);
    await cycles(world, 60);
    expect(world.record.verdictState?.verdict).toMatchObject({ kind: 'hold', cause: 'follower_hears_primary' });
    expect(codes(world)).toEqual(['hold']);
    expect(world.effects).toEqual([]);
  });

  it('when Virginia dies: Oregon keeps granting, and an alert reports the missing standby', async () => {
    const world = new MemoryWorld();
    world.databases.virginia.alive = false;
    world.apps.virginia = 'down';
    await cycles(world, 60);
    expect(world.effects).toEqual([]);
    expect(world.grants('oregon')).toBe(true);
    expect(codes(world)).toEqual(['failover-not-possible']);
  });

  it('when the authority store is down: the cycle ends without an action', async () => {
    const world = new MemoryWorld();
    world.kill('oregon');
    world.storeReachable = false;
    expect((await world.cycle()).kind).toBe('blind');
    expect(world.effects).toEqual([]);
  });
});

describe('connection between two samples', () => {
  /** Connected between two samples: the follower received and acknowledged data. */
  function reconnectUnseen(world: MemoryWorld): void {
    world.databases.virginia.receivedLsn += 10;
    world.advanceServers();
  }

  it('restarts the confirmation and the absence, because a moved position proves a live region', async () => {
    const world = new MemoryWorld();
    await cycles(world, 1);
    world.kill('oregon');
    await cycles(world, POLICY.samplesToConfirm - 1);
    const before = world.record.receiverAbsentSinceMs ?? Number.NaN;
    expect(before).toBeLessThan(world.nowMs - POLICY.sampleEveryMs);
    reconnectUnseen(world);
    const seenAtMs = world.nowMs;
    await cycles(world, 1);
    expect(world.record.confirmation).toMatchObject({ count: 1, sinceMs: seenAtMs, livedBefore: true });
    expect(world.record.receiverAbsentSinceMs).toBe(seenAtMs);
    await cycles(world, POLICY.samplesToConfirm - 2);
    expect(world.effects).toEqual([]);
    expect(world.record.operation).toBeUndefined();
    await world.cycleUntil(isOver(world));
    expect(world.record.lastOperation?.evidence.receiverAbsentSinceMs).toBe(seenAtMs);
  });

  it('delays the opening of the new epoch when it came after the last sample', async () => {
    const world = new MemoryWorld();
    world.kill('oregon');
    await world.cycleUntil(() => world.record.operation !== undefined);
    reconnectUnseen(world);
    const seenAtMs = world.nowMs;
    await world.cycleUntil(isOver(world));
    const { evidence } = world.record.lastOperation!;
    expect(evidence.receiverAbsentSinceMs).toBeGreaterThanOrEqual(seenAtMs);
    expect(evidence.opensAtMs).toBeGreaterThanOrEqual(seenAtMs + POLICY.authorityLeaseMs + POLICY.skewMs);
  });

  it('is not assumed while the position does not move, as without a connection', async () => {
    const world = new MemoryWorld();
    await cycles(world, 1);
    world.kill('oregon');
    const lostAtMs = world.nowMs;
    await world.cycleUntil(isOver(world));
    expect(world.record.lastOperation?.evidence).toMatchObject({
      detectedAtMs: lostAtMs,
      receiverAbsentSinceMs: lostAtMs,
    });
  });

  it('is detected from the next sample on when an older record has no position', async () => {
    const world = new MemoryWorld();
    world.kill('oregon');
    await cycles(world, POLICY.samplesToConfirm - 1);
    const { followerReceivedLsn: _unknown, ...older } = world.record;
    world.record = { ...older, followerReceivedLsn: undefined };
    const readAtMs = world.nowMs;
    await cycles(world, 1);
    expect(world.record).toMatchObject({ receiverAbsentSinceMs: readAtMs, followerReceivedLsn: expect.any(String) });
    await world.cycleUntil(isOver(world));
    expect(world.grants('virginia')).toBe(true);
  });
});

describe('readiness gate', () => {
  it('raises a critical alert, is checked on every cycle, and permits the failover once it opens', async () => {
    const world = new MemoryWorld();
    world.databases.virginia.alive = false;
    world.kill('oregon');
    await cycles(world, 30);
    expect(kind(world)).toBe('standby_not_ready');
    expect(world.effects).toEqual([]);
    expect(codes(world).filter((code) => code === 'standby-not-ready')).toHaveLength(1);
    world.databases.virginia.alive = true;
    await world.cycleUntil(isOver(world));
    expect(world.grants('virginia')).toBe(true);
  });

  it('is closed by a paused replay', async () => {
    const world = new MemoryWorld();
    world.databases.virginia.replayPaused = true;
    world.kill('oregon');
    await cycles(world, 30);
    expect(kind(world)).toBe('standby_not_ready');
  });
});

describe('paused automation', () => {
  it('withholds the failover, alerts once, and fails over when armed', async () => {
    const world = new MemoryWorld();
    world.record = { ...world.record, automation: { state: 'paused', by: 'ada', reason: 'test', sinceMs: 0 } };
    world.kill('oregon');
    await cycles(world, 30);
    expect(kind(world)).toBe('withheld');
    expect(codes(world)).toEqual(['withheld']);
    world.record = { ...world.record, automation: { state: 'armed', by: 'ada', reason: 'test', sinceMs: 0 } };
    await world.cycleUntil(isOver(world));
    expect(world.grants('virginia')).toBe(true);
  });
});

describe('manual failover of a live region', () => {
  it('closes the old epoch first, loses no data, and opens the new epoch at once', async () => {
    const world = new MemoryWorld();
    await cycles(world, 2);
    await ask(world, { kind: 'failover' });
    const askedAtMs = world.nowMs;
    await world.cycleUntil(isOver(world));
    expect(world.effects.map(({ what }) => what)).toEqual([
      'latch',
      'fence',
      'close_epoch',
      'promote',
      'open',
      'serve',
      'point_edge',
    ]);
    const { evidence, summary } = world.record.lastOperation!;
    expect(evidence).toMatchObject({ carriedOver: 'everything', fence: 'confirmed' });
    expect(summary).toContain('nothing was lost');
    expect(world.databases.virginia.lsn).toBeGreaterThanOrEqual(world.databases.oregon.lsn);
    expect(evidence.opensAtMs! - askedAtMs).toBeLessThan(POLICY.authorityLeaseMs);
    expect(world.grants('oregon')).toBe(false);
  });

  it('is refused with the reason when the standby is not ready', async () => {
    const world = new MemoryWorld();
    world.apps.virginia = 'down';
    await ask(world, { kind: 'failover' });
    await cycles(world, 1);
    expect(world.record.lastAnswer).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('license servers'),
    });
    expect(world.record.request).toBeUndefined();
    expect(world.effects).toEqual([]);
  });

  it('opens after every proof has expired when the old epoch could not be closed', async () => {
    const world = new MemoryWorld();
    await cycles(world, 2);
    world.databaseLink.oregon = 'cut';
    world.databases.virginia.linked = false;
    await ask(world, { kind: 'failover' });
    await world.cycleUntil(isOver(world));
    const { evidence } = world.record.lastOperation!;
    expect(evidence.carriedOver).toBe('all_received');
    expect(evidence.opensAtMs).toBeGreaterThanOrEqual(
      evidence.lastRenewalAtMs! + POLICY.authorityLeaseMs + POLICY.skewMs,
    );
  });
});

describe('stuck phase', () => {
  it('stays without a limit, alerts once, and continues automatically when it can', async () => {
    const world = new MemoryWorld();
    world.kill('oregon');
    await world.cycleUntil(() => world.record.operation?.phase === 'drain' || world.databases.virginia.promotions > 0);
    world.databases.virginia.alive = false;
    for (let index = 0; index < 500; index += 1) {
      await world.cycle();
      world.pass(100);
    }
    expect(world.record.operation?.stuck).not.toBeUndefined();
    expect(codes(world).filter((code) => code === 'stuck')).toHaveLength(1);
    world.databases.virginia.alive = true;
    await world.cycleUntil(isOver(world));
    expect(world.grants('virginia')).toBe(true);
    expect(world.count('latch')).toBe(1);
  });

  it('never goes back, even when Oregon returns during the failover', async () => {
    const world = new MemoryWorld();
    world.kill('oregon');
    await world.cycleUntil(() => world.authority.epoch === 2);
    world.revive('oregon');
    await world.cycleUntil(isOver(world));
    expect(world.authority).toMatchObject({ epoch: 2, region: 'virginia' });
    expect(world.grants('oregon')).toBe(false);
    expect(world.grants('virginia')).toBe(true);
  });

  it("ends when it finds another operation's epoch, disarms, and alerts", async () => {
    const world = new MemoryWorld();
    world.kill('oregon');
    await world.cycleUntil(() => world.authority.epoch === 2);
    world.authority = { ...world.authority, epoch: 3, operationId: 'by-hand', opensAtMs: undefined };
    await cycles(world, 2);
    expect(world.record.lastOperation?.outcome).toBe('superseded');
    expect(world.record.automation.state).toBe('disarmed');
    expect(codes(world)).toContain('failover-superseded');
    expect(world.count('latch')).toBe(1);
  });
});

describe('order of authority', () => {
  it('the old region loses its authority before the new one gets it, at every point of a failover', async () => {
    const world = new MemoryWorld();
    await cycles(world, 2);
    await ask(world, { kind: 'failover' });
    for (let index = 0; index < 200 && !isOver(world)(); index += 1) {
      await world.cycle();
      expect([world.grants('oregon'), world.grants('virginia')]).not.toEqual([true, true]);
      world.pass(100);
    }
    expect(world.grants('virginia')).toBe(true);
  });

  it('records a heartbeat on every cycle', async () => {
    const world = new MemoryWorld();
    await world.cycle(undefined, 'controller-2');
    expect(world.record).toMatchObject({ lastCycleAtMs: world.nowMs, lastCycleBy: 'controller-2' });
  });
});
