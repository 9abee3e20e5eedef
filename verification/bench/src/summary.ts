import type { BenchCase, EscrowCell } from './cases';
import { predictedPerSecond, predictedWaitMs } from './escrow-prediction';
import type { Latencies } from './generator/latencies';
import type { Measured } from './messages';

/** CPU time per operation in microseconds. Other load on the machine hardly changes it. */
export interface CpuPerOperation {
  readonly serversUs: number;
  readonly databasesUs: number;
  readonly generatorUs: number;
}

/** One case in one round. */
export interface Measurement extends Measured {
  readonly round: number;
  readonly cpu: CpuPerOperation | undefined;
  /** Share of the checkouts that waited for the follower, from 0 to 1. Undefined without a far follower. */
  readonly waitedShare?: number | undefined;
}

/** Medians over the rounds; a ratio is taken within each round first. */
export interface CaseSummary extends Latencies {
  readonly name: string;
  readonly perSecond: number;
  /** `perSecond` relative to the baseline; undefined for the baseline itself. */
  readonly ratio: number | undefined;
  readonly cpu: CpuPerOperation | undefined;
  readonly statuses: Readonly<Record<string, number>>;
  readonly perSecondByRound: readonly number[];
  readonly escrow?: EscrowSummary;
}

/** Measured and predicted effect of an escrow. */
export interface EscrowSummary extends EscrowCell {
  readonly waitedShare: number;
  /** Undefined for the case without waits, from which the prediction is derived. */
  readonly predictedPerSecond: number | undefined;
  /** At the measured rate. */
  readonly predictedWaitMs: number;
}

export type Measurements = ReadonlyMap<string, readonly Measurement[]>;

export function summarise(
  bench: BenchCase,
  measurements: Measurements,
  { connections }: { connections: number },
): CaseSummary {
  const own = measurements.get(bench.name) ?? [];
  const middle = (value: (measurement: Measurement) => number): number => median(own.map(value));
  return {
    name: bench.name,
    perSecond: middle(perSecondOf),
    ratio: bench.against === undefined ? undefined : medianRatio(own, measurements.get(bench.against) ?? []),
    p50Ms: middle(({ latencies }) => latencies.p50Ms),
    p95Ms: middle(({ latencies }) => latencies.p95Ms),
    p99Ms: middle(({ latencies }) => latencies.p99Ms),
    maxMs: Math.max(...own.map(({ latencies }) => latencies.maxMs)),
    cpu: medianCpu(own),
    statuses: addedUp(own.map(({ statuses }) => statuses)),
    perSecondByRound: own.map((measurement) => Math.round(perSecondOf(measurement))),
    ...(bench.cell ? { escrow: summariseEscrow(bench, bench.cell, { measurements, connections }) } : {}),
  };
}

function summariseEscrow(
  { name, against }: BenchCase,
  cell: EscrowCell,
  { measurements, connections }: { measurements: Measurements; connections: number },
): EscrowSummary {
  const own = measurements.get(name) ?? [];
  const unreached = against === undefined ? undefined : median((measurements.get(against) ?? []).map(perSecondOf));
  return {
    ...cell,
    waitedShare: median(own.flatMap(({ waitedShare }) => waitedShare ?? [])),
    predictedPerSecond:
      unreached === undefined ? undefined : predictedPerSecond({ ...cell, connections, unreachedPerSecond: unreached }),
    predictedWaitMs: predictedWaitMs({ ...cell, perSecond: median(own.map(perSecondOf)) }),
  };
}

/** Median over the rounds of one case's rate relative to another's in the same round. */
export function medianRatio(ones: readonly Measurement[], others: readonly Measurement[]): number {
  return median(
    ones.flatMap((one) => {
      const other = others.find(({ round }) => round === one.round);
      return other ? [perSecondOf(one) / perSecondOf(other)] : [];
    }),
  );
}

function perSecondOf({ operations, seconds }: Measured): number {
  return operations / seconds;
}

function medianCpu(measurements: readonly Measurement[]): CpuPerOperation | undefined {
  const known = measurements.flatMap(({ cpu }) => cpu ?? []);
  if (known.length === 0) return undefined;
  return {
    serversUs: median(known.map(({ serversUs }) => serversUs)),
    databasesUs: median(known.map(({ databasesUs }) => databasesUs)),
    generatorUs: median(known.map(({ generatorUs }) => generatorUs)),
  };
}

function addedUp(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const record of records) {
    for (const [key, value] of Object.entries(record)) sum[key] = (sum[key] ?? 0) + value;
  }
  return sum;
}

/** NaN for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}
