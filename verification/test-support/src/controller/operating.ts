import { request } from '@evergrant/controller/operator-commands';
import { type MemoryWorld, POLICY } from './memory-world';

const OPERATOR = { by: 'ada', reason: 'test' };

/** Conditions for `cycleUntil`: an operation has started, and has ended. */
export const isOver = (world: MemoryWorld) => () =>
  world.record.lastOperation !== undefined && world.record.operation === undefined;

export async function cycles(world: MemoryWorld, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await world.cycle();
    world.pass(world.record.operation === undefined ? POLICY.sampleEveryMs : 100);
  }
}

/** Sends an operator's request. It must be accepted. */
export async function ask(world: MemoryWorld, command: Parameters<typeof request>[1]): Promise<void> {
  expect((await request(world.ports(), command, OPERATOR)).effect.kind).toBe('done');
}

export const codes = (world: MemoryWorld): string[] => world.alerts.map(({ code }) => code);
export const kind = (world: MemoryWorld): string | undefined => world.record.verdictState?.verdict.kind;
