import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Region } from '@evergrant/core/regions';
import type { Layout } from '@evergrant/local-cluster/layout';
import { findFreeBasePort } from '@evergrant/local-cluster/world/ports';
import { World } from '@evergrant/local-cluster/world/world';
import { roomsToRegister } from './control-rooms';
import { type Addresses, Drill, type DrillScenario } from './drill';
import { DRILL_LICENSE } from './license';
import { type DrillReport, relativeTimeline } from './report';
import { Traffic } from './traffic';
import { countAnswers, validate } from './validate';

export interface DrillOptions {
  readonly seed: number;
  readonly busyRooms: number;
  readonly steadyRooms: number;
  /** How often a scenario repeats itself, if it can. @default 1 */
  readonly turns?: number;
  /** Receives progress lines. */
  readonly print: (line: string) => void;
}

const urls = (layout: Layout, region: Region): string[] =>
  [1, 2, 3].map((number) => layout.url(`${region}/app-${number}`));

function addressesOf(reach: Addresses, layout: Layout): string[][] {
  const [edge, oregon] = [[layout.url('edge')], urls(layout, 'oregon')];
  if (reach === 'edge') return [edge];
  return reach === 'servers of Oregon' ? [oregon] : [edge, oregon];
}

/** Runs one scenario in a fresh local cluster and stops the cluster in any case. */
export async function runDrill(scenario: DrillScenario, options: DrillOptions): Promise<DrillReport> {
  const startedAt = new Date();
  const before = performance.now();
  const home = mkdtempSync(join(tmpdir(), 'evergrant-drill-'));
  const licenseFile = join(home, 'license.json');
  const { license = DRILL_LICENSE, controlRooms = [], reach = 'edge' } = scenario;
  writeFileSync(licenseFile, JSON.stringify(license));
  const basePort = await findFreeBasePort();
  const world = new World({ home, basePort, profile: 'fast', keep: false, fresh: false, rooms: 0, licenseFile });
  const { layout } = world;
  let drill: Drill | undefined;
  let broken: string | undefined;
  try {
    await world.start();
    const traffic = new Traffic({
      ...options,
      license,
      addresses: addressesOf(reach, layout),
      registered: roomsToRegister(world, controlRooms),
      token: world.tokens.client,
      serverUrls: { oregon: urls(layout, 'oregon'), virginia: urls(layout, 'virginia') },
    });
    drill = new Drill({ world, traffic, license, turns: options.turns ?? 1 }, options.print);
    drill.mark('cluster is up');
    traffic.start();
    await scenario.run(drill);
    await traffic.abandon();
    await validate(drill);
  } catch (error) {
    broken = error instanceof Error ? error.message : String(error);
    await drill?.traffic.abandon();
    if (drill) countAnswers(drill);
  }
  const passed = broken === undefined && drill !== undefined && drill.results.every(({ held }) => held);
  // Keeps the logs of a drill that did not pass.
  await world.stop({ keep: !passed });
  return composeReport(scenario, drill, { startedAt, tookMs: performance.now() - before, passed, broken, home });
}

function composeReport(
  scenario: DrillScenario,
  drill: Drill | undefined,
  end: { startedAt: Date; tookMs: number; passed: boolean; broken: string | undefined; home: string },
): DrillReport {
  const marks = drill?.marks ?? [];
  const fault = marks.find(({ what }) => what === 'fault')?.atMs;
  return {
    scenario: scenario.name,
    passed: end.passed,
    startedAt: end.startedAt.toISOString(),
    tookMs: Math.round(end.tookMs),
    timeline: relativeTimeline(marks),
    recoveryTimeMs:
      drill?.recoveredAtMs !== undefined && fault !== undefined ? Math.round(drill.recoveredAtMs - fault) : undefined,
    figures: drill?.figures ?? {},
    promises: drill?.results ?? [],
    broken: end.broken,
    logs: end.passed ? undefined : join(end.home, 'logs'),
  };
}
