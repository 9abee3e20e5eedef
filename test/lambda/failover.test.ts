import { request } from '../../lambda/failover/operator';
import { MemoryWorld, POLICY } from './support/memory-world';

const OPERATOR = { by: 'ada', reason: 'test' };
const isOver = (world: MemoryWorld) => () => world.record.lastOperation !== null && world.record.operation === null;

async function cycles(world: MemoryWorld, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await world.cycle();
    world.pass(world.record.operation === null ? POLICY.sampleEveryMs : 100);
  }
}

async function ask(world: MemoryWorld, command: Parameters<typeof request>[1]): Promise<void> {
  expect((await request(world.ports(), command, OPERATOR)).effect.kind).toBe('done');
}

const codes = (world: MemoryWorld): string[] => world.alerts.map(({ code }) => code);
const kind = (world: MemoryWorld): string | undefined => world.record.standing?.verdict.kind;

describe('no failover', () => {
  it('when the application alone is down, but one alert', async () => {
    const world = new MemoryWorld();
    world.apps.oregon = 'down';
    await cycles(world, 60);
    expect(world.effects).toEqual([]);
    expect(codes(world)).toEqual(['application-down']);
  });

  it('when the database alone is down, but one alert, and the word that it is back', async () => {
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
      world.killOregon();
      await cycles(world, POLICY.samplesToConfirm - 1);
      world.reviveOregon();
      await cycles(world, 1);
    }
    expect(world.effects).toEqual([]);
  });

  it('when only we are cut off: the follower streams, servers renew, the witness sees it', async () => {
    const world = new MemoryWorld();
    world.apps.oregon = 'up';
    world.databaseLink.oregon = 'cut';
    const ports = (): ReturnType<MemoryWorld['ports']> => ({
      ...world.ports(),
      apps: { probe: async (region) => ({ reading: region === 'oregon' ? 'down' : 'up', because: 'cut off' }) },
    });
    for (const witness of ['up', 'unknown', 'down'] as const) {
      world.witnessSays = witness;
      for (let index = 0; index < 30; index += 1) {
        await world.cycle(ports);
        world.pass(POLICY.sampleEveryMs);
      }
    }
    expect(world.effects).toEqual([]);
    expect(world.grants('oregon')).toBe(true);
  });

  it('while the follower still hears the database that nobody else reaches, and people hear of it', async () => {
    const world = new MemoryWorld();
    world.apps.oregon = 'down';
    world.databaseLink.oregon = 'cut';
    world.databases.oregon.closedEpochs.add(1);
    await cycles(world, 60);
    expect(world.record.standing?.verdict).toMatchObject({ kind: 'hold', cause: 'follower-hears-primary' });
    expect(codes(world)).toEqual(['hold']);
    expect(world.effects).toEqual([]);
  });

  it('when Virginia dies: Oregon is not disturbed, and people hear that they are unprotected', async () => {
    const world = new MemoryWorld();
    world.databases.virginia.alive = false;
    world.apps.virginia = 'down';
    await cycles(world, 60);
    expect(world.effects).toEqual([]);
    expect(world.grants('oregon')).toBe(true);
    expect(codes(world)).toEqual(['unprotected']);
  });

  it('when the authority store is gone: the cycle is blind and does nothing', async () => {
    const world = new MemoryWorld();
    world.killOregon();
    world.storeReachable = false;
    expect((await world.cycle()).kind).toBe('blind');
    expect(world.effects).toEqual([]);
  });
});

describe('a link that comes and goes between two samples', () => {
  /** Connected for a moment that nobody saw: something arrived, and was acknowledged. */
  function reconnectUnseen(world: MemoryWorld): void {
    world.databases.virginia.receivedLsn += 10;
    world.live();
  }

  it('starts the confirmation and the absence anew: what moved was received from a living region', async () => {
    const world = new MemoryWorld();
    await cycles(world, 1);
    world.killOregon();
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
    expect(world.record.operation).toBeNull();
    await world.cycleUntil(isOver(world));
    expect(world.record.lastOperation?.evidence.receiverAbsentSinceMs).toBe(seenAtMs);
  });

  it('opens the new epoch later, too, when it came after the last sample', async () => {
    const world = new MemoryWorld();
    world.killOregon();
    await world.cycleUntil(() => world.record.operation !== null);
    reconnectUnseen(world);
    const seenAtMs = world.nowMs;
    await world.cycleUntil(isOver(world));
    const { evidence } = world.record.lastOperation!;
    expect(evidence.receiverAbsentSinceMs).toBeGreaterThanOrEqual(seenAtMs);
    expect(evidence.opensAtMs).toBeGreaterThanOrEqual(seenAtMs + POLICY.authorityLeaseMs + POLICY.skewMs);
  });

  it('is none while the position stands still: that of a follower without a connection does', async () => {
    const world = new MemoryWorld();
    await cycles(world, 1);
    world.killOregon();
    const lostAtMs = world.nowMs;
    await world.cycleUntil(isOver(world));
    expect(world.record.lastOperation?.evidence).toMatchObject({
      detectedAtMs: lostAtMs,
      receiverAbsentSinceMs: lostAtMs,
    });
  });

  it('is looked for from the next sample on when an older record knows no position', async () => {
    const world = new MemoryWorld();
    world.killOregon();
    await cycles(world, POLICY.samplesToConfirm - 1);
    const { followerReceivedLsn: _unknown, ...older } = world.record;
    world.record = older;
    const readAtMs = world.nowMs;
    await cycles(world, 1);
    expect(world.record).toMatchObject({ receiverAbsentSinceMs: readAtMs, followerReceivedLsn: expect.any(String) });
    await world.cycleUntil(isOver(world));
    expect(world.grants('virginia')).toBe(true);
  });
});

describe('a closed gate', () => {
  it('alerts loudly, is asked again on every cycle, and lets the failover pass once it opens', async () => {
    const world = new MemoryWorld();
    world.databases.virginia.alive = false;
    world.killOregon();
    await cycles(world, 30);
    expect(kind(world)).toBe('standby-not-ready');
    expect(world.effects).toEqual([]);
    expect(codes(world).filter((code) => code === 'standby-not-ready')).toHaveLength(1);
    world.databases.virginia.alive = true;
    await world.cycleUntil(isOver(world));
    expect(world.grants('virginia')).toBe(true);
  });

  it('is closed by a paused replay', async () => {
    const world = new MemoryWorld();
    world.databases.virginia.replayPaused = true;
    world.killOregon();
    await cycles(world, 30);
    expect(kind(world)).toBe('standby-not-ready');
  });
});

describe('paused', () => {
  it('withholds, says so once, and fails over when armed', async () => {
    const world = new MemoryWorld();
    world.record = { ...world.record, automation: { state: 'paused', by: 'ada', reason: 'test', sinceMs: 0 } };
    world.killOregon();
    await cycles(world, 30);
    expect(kind(world)).toBe('withheld');
    expect(codes(world)).toEqual(['withheld']);
    world.record = { ...world.record, automation: { state: 'armed', by: 'ada', reason: 'test', sinceMs: 0 } };
    await world.cycleUntil(isOver(world));
    expect(world.grants('virginia')).toBe(true);
  });
});

describe("a human's failover of a living region", () => {
  it('closes the old epoch first, loses nothing, and opens the new one at once', async () => {
    const world = new MemoryWorld();
    await cycles(world, 2);
    await ask(world, { kind: 'failover' });
    const askedAtMs = world.nowMs;
    await world.cycleUntil(isOver(world));
    expect(world.effects.map(({ what }) => what)).toEqual([
      'latch',
      'fence',
      'close-epoch',
      'promote',
      'open',
      'serve',
      'point-edge',
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
      because: expect.stringContaining('license servers'),
    });
    expect(world.record.request).toBeNull();
    expect(world.effects).toEqual([]);
  });

  it('keeps the word about an old epoch that could not be closed: it opens after every proof has lapsed', async () => {
    const world = new MemoryWorld();
    await cycles(world, 2);
    world.databaseLink.oregon = 'cut';
    world.databases.virginia.linked = false;
    await ask(world, { kind: 'failover' });
    await world.cycleUntil(isOver(world));
    const { evidence } = world.record.lastOperation!;
    expect(evidence.carriedOver).toBe('all-received');
    expect(evidence.opensAtMs).toBeGreaterThanOrEqual(
      evidence.lastRenewalAtMs! + POLICY.authorityLeaseMs + POLICY.skewMs,
    );
  });
});

describe('a phase that does not get on', () => {
  it('stays for ever, tells people once, and goes on by itself when it can', async () => {
    const world = new MemoryWorld();
    world.killOregon();
    await world.cycleUntil(() => world.record.operation?.phase === 'drain' || world.databases.virginia.promotions > 0);
    world.databases.virginia.alive = false;
    for (let index = 0; index < 500; index += 1) {
      await world.cycle();
      world.pass(100);
    }
    expect(world.record.operation?.stuck).not.toBeNull();
    expect(codes(world).filter((code) => code === 'stuck')).toHaveLength(1);
    world.databases.virginia.alive = true;
    await world.cycleUntil(isOver(world));
    expect(world.grants('virginia')).toBe(true);
    expect(world.count('latch')).toBe(1);
  });

  it('never goes backwards, not even when Oregon returns in the middle', async () => {
    const world = new MemoryWorld();
    world.killOregon();
    await world.cycleUntil(() => world.authority.epoch === 2);
    world.reviveOregon();
    await world.cycleUntil(isOver(world));
    expect(world.authority).toMatchObject({ epoch: 2, region: 'virginia' });
    expect(world.grants('oregon')).toBe(false);
    expect(world.grants('virginia')).toBe(true);
  });

  it("ends when somebody else's epoch is found, disarms, and says so", async () => {
    const world = new MemoryWorld();
    world.killOregon();
    await world.cycleUntil(() => world.authority.epoch === 2);
    world.authority = { ...world.authority, epoch: 3, operationId: 'by-hand', opensAtMs: null };
    await cycles(world, 2);
    expect(world.record.lastOperation?.outcome).toBe('superseded');
    expect(world.record.automation.state).toBe('disarmed');
    expect(codes(world)).toContain('failover-superseded');
    expect(world.count('latch')).toBe(1);
  });
});

describe('after a failover', () => {
  async function failedOver(): Promise<MemoryWorld> {
    const world = new MemoryWorld();
    world.killOregon();
    await world.cycleUntil(isOver(world));
    return world;
  }

  it('watches Virginia and tells, and never fails over back by itself', async () => {
    const world = await failedOver();
    world.reviveOregon();
    await cycles(world, 5);
    expect(world.record.standing?.verdict).toMatchObject({ kind: 'serving-from-standby', watch: 'well' });
    world.apps.virginia = 'down';
    world.databases.virginia.alive = false;
    const effects = world.effects.length;
    await cycles(world, 100);
    expect(world.effects).toHaveLength(effects);
    expect(codes(world)).toContain('standby-both-down');
  });

  it('keeps a report with the time of each phase and the evidence', async () => {
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
      'settle',
    ]);
    for (const entry of report.timeline) expect(entry.leftAtMs).toBeGreaterThanOrEqual(entry.enteredAtMs);
    expect(report.evidence).toMatchObject({
      fence: 'owed',
      carriedOver: 'all-received',
      receivedLsn: expect.any(String),
    });
    expect(report.summary).toContain('did not arrive');
    const kinds = world.history.map((entry) => entry.kind);
    expect(kinds.filter((each) => each === 'phase')).toHaveLength(8);
    expect(kinds).toEqual(
      expect.arrayContaining(['verdict', 'operation-started', 'operation-ended', 'fence-debt', 'alert']),
    );
  });

  it('drops a fence debt when the region has authority again', async () => {
    const world = await failedOver();
    world.authority = {
      ...world.authority,
      epoch: 3,
      region: 'oregon',
      operationId: 'by-hand',
      opensAtMs: world.nowMs,
    };
    await cycles(world, 3);
    expect(world.record.fenceDebts).toEqual([]);
    expect(world.acls.oregon).toEqual({ kind: 'serve' });
  });

  it('is not slowed down by the router that it could not fence', async () => {
    const world = new MemoryWorld();
    const looks: string[] = [];
    world.killOregon();
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

  it('pays the fence debt also while an operation is in progress', async () => {
    const world = await failedOver();
    await ask(world, { kind: 'failback', stage: 'confirm-fence' });
    await cycles(world, 3);
    expect(world.record.operation?.kind).toBe('confirm-fence');
    world.reviveOregon();
    await cycles(world, 20);
    expect(world.record.fenceDebts).toEqual([]);
    expect(world.record.failbackDoneAtMs['confirm-fence']).toBeDefined();
  });
});

describe('a hand-over that cannot be finished', () => {
  async function readyToHandOver(): Promise<MemoryWorld> {
    const world = new MemoryWorld();
    world.killOregon();
    await world.cycleUntil(isOver(world));
    world.reviveOregon();
    for (const stage of ['confirm-fence', 'keep-old-database', 'follow'] as const) {
      await ask(world, { kind: 'failback', stage });
      await world.cycleUntil(() => world.record.failbackDoneAtMs[stage] !== undefined, { cyclesMax: 60 });
    }
    return world;
  }

  it('does not even begin to stop granting while Oregon could not take over', async () => {
    const world = await readyToHandOver();
    world.apps.oregon = 'down';
    await ask(world, { kind: 'failback', stage: 'hand-over' });
    await cycles(world, 20);
    expect(world.record.operation?.phase).toBe('check');
    expect(world.grants('virginia')).toBe(true);
    await ask(world, { kind: 'abort' });
    await cycles(world, 2);
    expect(world.record.lastOperation?.outcome).toBe('abandoned');
    expect(world.authority.epoch).toBe(2);
  });

  it('waits for the last byte as long as it takes, and is abandoned by a human: Virginia grants on, in a new epoch', async () => {
    const world = await readyToHandOver();
    world.databases.oregon.replayPaused = false;
    await ask(world, { kind: 'failback', stage: 'hand-over' });
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
    // And the hand-over can be asked for again.
    world.databases.oregon.linked = true;
    await ask(world, { kind: 'failback', stage: 'hand-over' });
    await world.cycleUntil(() => world.record.failbackDoneAtMs['hand-over'] !== undefined, { cyclesMax: 60 });
    expect(world.authority).toMatchObject({ epoch: 4, region: 'oregon' });
    expect(world.record.lastOperation?.evidence.carriedOver).toBe('everything');
  });

  it('is not abandoned once the promotion is recorded', async () => {
    const world = await readyToHandOver();
    await ask(world, { kind: 'failback', stage: 'hand-over' });
    await world.cycleUntil(() => world.record.operation?.phase === 'promote');
    await ask(world, { kind: 'abort' });
    await world.cycleUntil(() => world.record.failbackDoneAtMs['hand-over'] !== undefined, { cyclesMax: 60 });
    expect(world.history).toContainEqual(
      expect.objectContaining({ kind: 'request-answered', detail: expect.objectContaining({ outcome: 'refused' }) }),
    );
    expect(world.grants('oregon')).toBe(true);
  });
});

describe('a router that can be looked at and refuses its fence', () => {
  async function refused(world: MemoryWorld): Promise<void> {
    world.routerRefuses.oregon = true;
    for (let index = 0; index < 300 && !isOver(world)(); index += 1) {
      await world.cycle();
      expect([world.grants('oregon'), world.grants('virginia')]).not.toEqual([true, true]);
      world.pass(world.record.operation === null ? POLICY.sampleEveryMs : 100);
    }
    expect(world.record.lastOperation).toMatchObject({ outcome: 'done', evidence: { fence: 'owed' } });
  }

  it('holds up a dead region no longer than the policy allows: the fence is owed, and told', async () => {
    const world = new MemoryWorld();
    world.apps.oregon = 'down';
    world.databases.oregon.alive = false;
    await refused(world);
    const fence = world.record.lastOperation?.timeline.find(({ phase }) => phase === 'fence');
    const tookMs = (fence?.leftAtMs ?? Number.NaN) - (fence?.enteredAtMs ?? Number.NaN);
    expect(tookMs).toBeGreaterThanOrEqual(POLICY.fenceMaxMs);
    expect(tookMs).toBeLessThan(POLICY.fenceMaxMs + POLICY.sampleEveryMs);
    expect(world.grants('virginia')).toBe(true);
    expect(world.record.fenceDebts).toMatchObject([{ region: 'oregon', epoch: 2 }]);
    const done = world.alerts.find(({ code }) => code === 'failover-done');
    expect(done?.text).toContain('the fence of oregon is owed');
  });

  it('never lets both regions grant, though the old one lives and is called: its proofs lapse first', async () => {
    const world = new MemoryWorld();
    await cycles(world, 2);
    await ask(world, { kind: 'failover' });
    await cycles(world, 1);
    await refused(world);
    expect(world.acls.oregon).toEqual({ kind: 'serve' });
    expect(world.grants('virginia')).toBe(true);
  });

  it('is asked again on every cycle, until the debt is paid', async () => {
    const world = new MemoryWorld();
    world.apps.oregon = 'down';
    world.databases.oregon.alive = false;
    await refused(world);
    await cycles(world, 20);
    expect(world.record.fenceDebts).toHaveLength(1);
    world.routerRefuses.oregon = false;
    await cycles(world, 3);
    expect(world.record.fenceDebts).toEqual([]);
    expect(world.acls.oregon).toEqual({ kind: 'fence', activeRegion: 'virginia' });
  });
});

describe('a follower that is lost in time of peace', () => {
  async function restore(world: MemoryWorld): Promise<void> {
    await ask(world, { kind: 'failback', stage: 'restore-follower' });
    const isCarriedOut = (): boolean => world.record.request === null && world.record.operation === null;
    await world.cycleUntil(isCarriedOut, { cyclesMax: 600 });
    expect(world.record.lastOperation).toMatchObject({ kind: 'restore-follower', outcome: 'done' });
  }

  it('is put aside and made anew, though the service still calls it a follower', async () => {
    const world = new MemoryWorld();
    world.databases.virginia.linked = false;
    await cycles(world, 10);
    await restore(world);
    expect(world.effects.map(({ what, detail }) => `${what} ${detail}`)).toEqual([
      'kept virginia',
      'building virginia',
    ]);
    expect(world.databases.virginia).toMatchObject({ role: 'follower', streaming: true });
    expect(world.grants('oregon')).toBe(true);
    expect(world.authority.epoch).toBe(1);
  });

  it('is left alone when it only comes back late', async () => {
    const world = new MemoryWorld();
    world.databases.virginia.linked = false;
    await cycles(world, 10);
    await ask(world, { kind: 'failback', stage: 'restore-follower' });
    await world.cycleUntil(() => world.record.operation !== null);
    await cycles(world, 10);
    world.databases.virginia.linked = true;
    await world.cycleUntil(isOver(world));
    expect(world.effects).toEqual([]);
  });

  it('may be restored again and again, leaves the automation armed, and begins no failback', async () => {
    const world = new MemoryWorld();
    await restore(world);
    world.databases.virginia.linked = false;
    await restore(world);
    expect(world.record).toMatchObject({ automation: { state: 'armed' }, failbackDoneAtMs: {} });
    world.killOregon();
    await world.cycleUntil(() => world.authority.epoch === 2);
  });
});

describe('the public order of things', () => {
  it('the old region has lost its right before the new one has it, at every moment of a failover', async () => {
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

  it('beats its heart on every cycle', async () => {
    const world = new MemoryWorld();
    await world.cycle(undefined, 'controller-2');
    expect(world.record).toMatchObject({ lastCycleAtMs: world.nowMs, lastCycleBy: 'controller-2' });
  });
});
