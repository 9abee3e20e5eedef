import type { RecordedEntry } from '@evergrant/controller/core/history';
import { duration } from '@evergrant/core/format';
import { table } from '@evergrant/core/text-table';
import type { Command } from 'commander';
import { CommandError, EXIT } from '../errors';
import { createOutput } from '../output';
import type { OpenTarget } from '../target';

const LIMIT_MAX = 1_000;

/** `npx evergrant history`: verdicts, phases, operator commands and alerts, newest last. */
export function addHistoryCommand(program: Command, open: OpenTarget): void {
  program
    .command('history')
    .description('show verdicts, phases, operator commands and alerts of the controller')
    .option('--limit <count>', `number of entries, 1 to ${LIMIT_MAX}`, '40')
    .action(async (_options: unknown, command: Command) => {
      const { json, limit } = command.optsWithGlobals<{ json?: boolean; limit: string }>();
      const output = createOutput(json === true);
      const entries = await readHistory(open, parseLimit(limit));
      output.document(entries);
      output.line(entries.length === 0 ? 'The history is empty.' : table(entries.map(row)));
    });
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw new CommandError({
    exitCode: EXIT.usage,
    code: 'invalid_limit',
    message: `--limit ${text}: must be an integer from 1 to ${LIMIT_MAX}.`,
  });
}

async function readHistory(open: OpenTarget, limit: number): Promise<RecordedEntry[]> {
  const target = await open();
  try {
    return [...(await target.ports.control.history(limit))].reverse();
  } finally {
    await target.close();
  }
}

function row(entry: RecordedEntry): string[] {
  const time = new Date(entry.atMs).toISOString().replace('T', ' ').slice(0, 19);
  return [time, entry.kind, describeEntry(entry)];
}

function describeEntry(entry: RecordedEntry): string {
  switch (entry.kind) {
    case 'verdict':
      return `${entry.detail.from ?? 'nothing'} → ${entry.detail.to}: ${entry.detail.reason}`;
    case 'operation-started':
      return `${entry.detail.operation} by ${entry.detail.by} (${entry.detail.reason})`;
    case 'phase':
      return `${entry.detail.operation}: ${entry.detail.phase} took ${duration(entry.detail.tookMs)}: ${entry.detail.reason}`;
    case 'operation-ended':
      return `${entry.detail.kind}: ${entry.detail.outcome}: ${entry.detail.summary}`;
    case 'operator':
      return `${entry.detail.command} by ${entry.detail.by} (${entry.detail.reason})`;
    case 'request-answered':
      return `${entry.detail.request.command.kind} ${entry.detail.outcome}: ${entry.detail.reason}`;
    case 'pending-fence':
      return `${entry.detail.region} ${entry.detail.change}: ${entry.detail.reason}`;
    case 'alert':
      return `${entry.detail.severity}: ${entry.detail.text}`;
  }
}
