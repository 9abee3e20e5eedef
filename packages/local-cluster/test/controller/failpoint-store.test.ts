import { PHASES_OF } from '@evergrant/controller/core/operations';
import type { Ports } from '@evergrant/controller/ports';
import { MemoryWorld, POLICY } from '@evergrant/test-support/controller/memory-world';
import { type Failpoint, FailpointControlStore, parseFailpoint } from '../../src/controller/failpoint-store';

/**
 * Runs a failover until the controller halts at the failpoint. A second controller without a failpoint then continues.
 */
async function failpoint(
  point: Failpoint,
): Promise<{ world: MemoryWorld; halts: number; atHalt: MemoryWorld['effects'] }> {
  const world = new MemoryWorld();
  world.kill('oregon');
  let halts = 0;
  let onHalt = (): void => undefined;
  const halted = new Promise<'halted'>((resolve) => {
    onHalt = () => {
      halts += 1;
      resolve('halted');
    };
  });
  const control = new FailpointControlStore(world.ports().control, point, () => onHalt());
  const wrap = (ports: Ports): Ports => ({ ...ports, control });
  for (let cycles = 0; halts === 0; cycles += 1) {
    if (cycles > 200) throw new Error(`never halted at ${point.phase}:${point.side}`);
    await Promise.race([world.cycle(wrap), halted]);
    world.pass(world.record.operation === undefined ? POLICY.sampleEveryMs : 100);
  }
  const atHalt = [...world.effects];
  await world.cycleUntil(() => world.record.lastOperation !== undefined);
  return { world, halts, atHalt };
}

describe('failpoint store', () => {
  const points = PHASES_OF.failover.flatMap((phase) => [
    { phase, side: 'before' } as const,
    { phase, side: 'after' } as const,
  ]);

  it.each(points)('halts $side $phase once, and the next controller completes the failover', async (point) => {
    const { world, halts } = await failpoint(point);
    expect(halts).toBe(1);
    expect(world.count('latch')).toBe(1);
    expect(world.databases.virginia.promotions).toBe(1);
    expect(world.grants('virginia')).toBe(true);
  });

  it('before: halts after the record, without effects; after: halts after the effects, without a record', async () => {
    const before = await failpoint({ phase: 'promote', side: 'before' });
    expect(before.atHalt.map(({ what }) => what)).not.toContain('promote');
    const after = await failpoint({ phase: 'promote', side: 'after' });
    expect(after.atHalt.map(({ what }) => what)).toContain('promote');
    expect(after.atHalt.map(({ what }) => what)).not.toContain('open');
  });

  it('parses a phase boundary', () => {
    expect(parseFailpoint('promote:before')).toEqual({ phase: 'promote', side: 'before' });
    for (const text of ['promote', 'promote:during', ':after', 'a:before:b', 'promot:before']) {
      expect(() => parseFailpoint(text)).toThrow('is not a phase boundary');
    }
  });
});
