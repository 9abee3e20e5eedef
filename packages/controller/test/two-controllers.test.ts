import { betweenCalls, type CallHook } from '@evergrant/test-support/controller/between-calls';
import { MemoryWorld, POLICY } from '@evergrant/test-support/controller/memory-world';
import fc from 'fast-check';

/** Runs cycles until the failover is reported. Time advances with each cycle. */
async function runToTheEnd(
  world: MemoryWorld,
  controller: string,
  hook: CallHook = async () => undefined,
): Promise<void> {
  for (let cycles = 0; world.record.lastOperation === undefined; cycles += 1) {
    if (cycles > 200) throw new Error('not done');
    await world.cycle((ports) => betweenCalls(ports, hook), controller);
    world.pass(world.record.operation === undefined ? POLICY.sampleEveryMs : 100);
  }
}

function expectOneFailover(world: MemoryWorld): void {
  expect(world.authority).toMatchObject({ epoch: 2, region: 'virginia' });
  expect(world.count('latch')).toBe(1);
  expect(world.count('open')).toBe(1);
  expect(world.databases.virginia.promotions).toBe(1);
  expect(world.grants('virginia')).toBe(true);
  const reports = world.history.filter(({ kind }) => kind === 'operation-ended');
  expect(reports).toHaveLength(1);
}

describe('two controllers at once', () => {
  it('one can be suspended at any point while the other completes the failover, and resume afterwards', async () => {
    let isReached = true;
    for (let moment = 0; isReached; moment += 1) {
      const world = new MemoryWorld();
      world.kill('oregon');
      isReached = false;
      let passed = 0;
      const sleepOnce: CallHook = async () => {
        passed += 1;
        if (passed !== moment + 1) return;
        isReached = true;
        await runToTheEnd(world, 'second');
      };
      await runToTheEnd(world, 'first', sleepOnce);
      expectOneFailover(world);
    }
  });

  it('one that is suspended between record and effect has no effect when it resumes', async () => {
    const world = new MemoryWorld();
    world.kill('oregon');
    let written = 0;
    let effectsAtWaking = -1;
    const sleepAfterWriting: CallHook = async ({ call, side }) => {
      if (call !== 'control.write' || side !== 'after' || world.record.operation?.phase !== 'switch') return;
      written += 1;
      if (written > 1) return;
      await runToTheEnd(world, 'second');
      world.pass(POLICY.actWithinMs);
      effectsAtWaking = world.effects.length;
    };
    await runToTheEnd(world, 'first', sleepAfterWriting);
    expect(effectsAtWaking).toBeGreaterThan(0);
    expect(world.effects).toHaveLength(effectsAtWaking);
  });

  it('one that is suspended through failover and failback promotes nothing when it resumes', async () => {
    const world = new MemoryWorld();
    world.kill('oregon');
    await runToTheEnd(world, 'first');
    // After the failback: epoch 3 in Oregon, Virginia follows. The suspended controller now makes its pending call.
    world.databases.virginia.role = 'follower';
    world.databases.virginia.newestEpoch = 3;
    const { promotions } = world.databases.virginia;
    await world.ports().databases.promote('virginia', 1);
    expect(await world.ports().authority.latch({ fromEpoch: 1, region: 'virginia', operationId: 'old' })).toBe(
      'conflict',
    );
    expect(world.databases.virginia.promotions).toBe(promotions);
    expect(world.databases.virginia.role).toBe('follower');
  });

  it('end with one epoch and one promotion, however their calls interleave', async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat(11)), async (draws) => {
        const world = new MemoryWorld();
        world.kill('oregon');
        await interleave(world, draws);
        expectOneFailover(world);
      }),
      { numRuns: 100 },
    );
  });
});

/** Every call of either controller waits. A random draw selects the next of the waiting calls. */
async function interleave(world: MemoryWorld, draws: IterableIterator<number>): Promise<void> {
  const waiting: (() => void)[] = [];
  const hook: CallHook = () => new Promise((resolve) => waiting.push(resolve));
  let running = 2;
  const controllers = ['first', 'second'].map((who) => runToTheEnd(world, who, hook).finally(() => (running -= 1)));
  while (running > 0) {
    // Everything that does not wait here has settled by now.
    await new Promise(setImmediate);
    const [next] = waiting.splice(Number(draws.next().value) % Math.max(1, waiting.length), 1);
    next?.();
  }
  await Promise.all(controllers);
}
