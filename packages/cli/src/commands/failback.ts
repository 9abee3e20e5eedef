import type { ControlRecord } from '@evergrant/controller/core/control-record';
import { FAILBACK_STAGES, type FailbackStage } from '@evergrant/controller/core/operations';
import { isRejoinPending } from '@evergrant/controller/core/rejoin';
import { PRIMARY_REGION, type Region } from '@evergrant/core/regions';
import { table } from '@evergrant/core/text-table';
import type { Command } from 'commander';
import pc from 'picocolors';
import { CommandError, EXIT } from '../errors';
import { createOutput, type Output } from '../output';
import type { OpenTarget } from '../target';
import { confirmTyped } from './confirmation';
import { runOperation } from './failover';

interface Flags {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly reason?: string;
  readonly all?: boolean;
  readonly plan?: boolean;
}

const WHAT: Readonly<Record<FailbackStage, string>> = {
  'confirm-fence': 'make sure that Oregon is fenced and cannot serve',
  'archive-database': "stop Oregon's old databases and keep what they hold aside, for reconciliation",
  follow: 'build a database in Oregon that follows Virginia, and wait until it keeps up',
  switchover: 'stop granting in Virginia, carry everything over, promote Oregon, move authority and the edge',
  'restore-follower': "rebuild Virginia's database as the follower of Oregon",
  arm: 'arm the automation again',
};

/** `npx evergrant failback`: returns to Oregon, one stage at a time. Each stage is started by a person. */
export function addFailbackCommand(program: Command, open: OpenTarget): void {
  program
    .command('failback [stage]')
    .description('run the next stage of the failback to Oregon, or the named stage; see --plan')
    .option('--plan', 'show the stages and their state without a change')
    .option('--all', 'run all remaining stages in order')
    .option('--yes', 'skip the confirmation')
    .option('--reason <text>', 'recorded in the history', 'not given')
    .addHelpText(
      'after',
      `\nStages, in this order:\n${FAILBACK_STAGES.map((stage) => `  ${stage.padEnd(18)} ${WHAT[stage]}`).join('\n')}\n  abort              abort a stuck switchover: Virginia grants again`,
    )
    .action(async (stage: string | undefined, _options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<Flags>();
      if (flags.plan) return showPlan(open, createOutput(flags.json === true));
      if (stage === 'abort') return runOperation(open, { kind: 'abort' }, flags);
      await runStages(open, stage === undefined ? undefined : stageNamed(stage), flags);
    });
}

function stageNamed(text: string): FailbackStage {
  const stage = FAILBACK_STAGES.find((candidate) => candidate === text);
  if (stage) return stage;
  throw new CommandError({
    exitCode: EXIT.usage,
    code: 'unknown_stage',
    message: `There is no failback stage "${text}". Stages: ${FAILBACK_STAGES.join(', ')}`,
  });
}

async function readControl(open: OpenTarget): Promise<{ record: ControlRecord; activeRegion: Region }> {
  const target = await open();
  try {
    const [{ record }, { region }] = await Promise.all([target.ports.control.read(), target.ports.authority.read()]);
    return { record, activeRegion: region };
  } finally {
    await target.close();
  }
}

const remaining = (record: ControlRecord): FailbackStage[] =>
  FAILBACK_STAGES.filter((stage) => record.failbackDoneAtMs[stage] === undefined);

/** True when Oregon is active and no failback is in progress. */
function isHome(record: ControlRecord, activeRegion: Region): boolean {
  const begun = Object.keys(record.failbackDoneAtMs).length > 0;
  return activeRegion === PRIMARY_REGION && (!begun || record.failbackDoneAtMs.arm !== undefined);
}

function homeText(record: ControlRecord, activeRegion: Region): string {
  return isRejoinPending(record, activeRegion)
    ? 'Oregon is active, and Virginia has not rejoined as its standby. Next: npx evergrant rejoin'
    : 'Oregon is active: there is nothing to come back from.';
}

async function showPlan(open: OpenTarget, output: Output): Promise<void> {
  const { record, activeRegion } = await readControl(open);
  const stages = FAILBACK_STAGES.map((stage) => ({ stage, doneAtMs: record.failbackDoneAtMs[stage] ?? null }));
  output.document({ activeRegion, atHome: isHome(record, activeRegion), stages });
  if (isHome(record, activeRegion)) return output.line(homeText(record, activeRegion));
  output.line(
    table(stages.map(({ stage, doneAtMs }) => [doneAtMs === null ? '[ ]' : pc.green('[x]'), stage, WHAT[stage]])),
  );
  const [next] = remaining(record);
  output.line(next ? `\nNext: npx evergrant failback ${next}` : '\nEvery stage is done.');
}

async function runStages(open: OpenTarget, named: FailbackStage | undefined, flags: Flags): Promise<void> {
  const { record, activeRegion } = await readControl(open);
  if (named === undefined && isHome(record, activeRegion)) {
    const output = createOutput(flags.json === true);
    if (isRejoinPending(record, activeRegion)) {
      throw new CommandError({ exitCode: EXIT.refused, code: 'refused', message: homeText(record, activeRegion) });
    }
    output.document({ outcome: 'already_done', reason: 'Oregon is active' });
    return output.line(homeText(record, activeRegion));
  }
  const left = remaining(record);
  const stages = named ? [named] : flags.all ? left : left.slice(0, 1);
  for (const stage of stages) {
    await confirmTyped(stage, `Failback, stage ${stage}: ${WHAT[stage]}.`, flags.yes === true);
    await runOperation(open, { kind: 'failback', stage }, flags);
  }
}
