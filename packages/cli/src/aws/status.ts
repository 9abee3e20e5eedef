import type { AuthorityView } from '@evergrant/controller/core/authority';
import type { ControlRecord } from '@evergrant/controller/core/control-record';
import { toStored } from '@evergrant/controller/core/stored-json';
import { duration } from '@evergrant/core/format';
import { table } from '@evergrant/core/text-table';
import pc from 'picocolors';
import type { Output } from '../output';
import type { OpenTarget } from '../target';

/** Prints authority, and the controller's last verdict, from the authority table. */
export async function showAwsStatus(open: OpenTarget, output: Output): Promise<void> {
  const target = await open();
  try {
    const [authority, { record }] = await Promise.all([target.ports.authority.read(), target.ports.control.read()]);
    output.document(toStored({ authority, control: record }));
    if (output.json) return;
    output.line(pc.bold(headline(authority)));
    output.line();
    output.line(table(overview(authority, record)));
  } finally {
    await target.close();
  }
}

function headline({ region, opensAtMs, readAtMs }: AuthorityView): string {
  const open = opensAtMs !== undefined && opensAtMs <= readAtMs;
  return open
    ? pc.green(`${region.toUpperCase()} HAS AUTHORITY`)
    : pc.red(`${region.toUpperCase()}'S EPOCH IS NOT OPEN`);
}

function overview(
  { epoch, region, renewedAtMs, renewedBy, readAtMs }: AuthorityView,
  record: ControlRecord,
): string[][] {
  const ago = (atMs: number | undefined): string => (atMs === undefined ? 'never' : `${duration(readAtMs - atMs)} ago`);
  const { automation, verdictState, operation, pendingFences, lastOperation } = record;
  const rows = [
    ['authority', `epoch ${epoch}, ${region}`],
    ['renewed', `${ago(renewedAtMs)}${renewedBy === undefined ? '' : ` by ${renewedBy}`}`],
    ['controller', `${verdictState?.verdict.kind ?? 'no cycle yet'}; last cycle ${ago(record.lastCycleAtMs)}`],
    ['reason', verdictState?.verdict.reason ?? ''],
    ['automation', `${automation.state} (${automation.by}: ${automation.reason})`],
  ];
  if (operation !== undefined) {
    const stuck = operation.stuck === undefined ? '' : `: ${operation.stuck.reason}`;
    rows.push(['operation', `${operation.kind}, in phase ${operation.phase}${stuck}`]);
  }
  if (pendingFences.length > 0)
    rows.push(['pending fence', pendingFences.map(({ region: fenced }) => fenced).join(', ')]);
  if (lastOperation !== undefined) rows.push(['last operation', lastOperation.summary]);
  return rows;
}
