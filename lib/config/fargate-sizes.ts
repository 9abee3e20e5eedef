const GIB = 1_024;

/** Memory sizes in MiB for each number of CPU units; 1024 units are one processor (ECS guide, task CPU and memory). */
const MEMORY_MIB_OF: ReadonlyMap<number, readonly number[]> = new Map([
  [256, [512, GIB, 2 * GIB]],
  [512, gibibytes(1, 4)],
  [1024, gibibytes(2, 8)],
  [2048, gibibytes(4, 16)],
  [4096, gibibytes(8, 30)],
]);

/** The supported CPU units of a task. */
export const CPU_UNITS: readonly number[] = [...MEMORY_MIB_OF.keys()];

/** The validation error of a memory size. Undefined when the size is valid or the CPU units themselves are invalid. */
export function memoryError(cpu: number, memoryMiB: number): string | undefined {
  const sizes = MEMORY_MIB_OF.get(cpu);
  if (sizes === undefined || sizes.includes(memoryMiB)) return undefined;
  return `${memoryMiB} is not a memory size of Fargate for cpu ${cpu}; the sizes are ${sizes.join(', ')}`;
}

function gibibytes(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_none, index) => (from + index) * GIB);
}
