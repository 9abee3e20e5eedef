const GIB = 1_024;

/** What Fargate has: memory in MiB beside a processor in units, of which 1024 are one (ECS guide, task CPU and memory). */
const MEMORY_MIB_OF: ReadonlyMap<number, readonly number[]> = new Map([
  [256, [512, GIB, 2 * GIB]],
  [512, gibibytes(1, 4)],
  [1024, gibibytes(2, 8)],
  [2048, gibibytes(4, 16)],
  [4096, gibibytes(8, 30)],
]);

/** The processors that the service may be given. */
export const CPU_UNITS: readonly number[] = [...MEMORY_MIB_OF.keys()];

/** What is wrong with memory beside a processor; null: nothing, or the processor itself is wrong. */
export function memoryMistake(cpu: number, memoryMiB: number): string | null {
  const sizes = MEMORY_MIB_OF.get(cpu);
  if (sizes === undefined || sizes.includes(memoryMiB)) return null;
  return `${memoryMiB} is no size that Fargate has beside cpu ${cpu}; it has ${sizes.join(', ')}`;
}

function gibibytes(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_none, index) => (from + index) * GIB);
}
