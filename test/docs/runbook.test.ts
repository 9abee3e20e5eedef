import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Message, tell } from '@evergrant/controller/core/alerting';
import type { VerdictState } from '@evergrant/controller/core/control-record';
import { type OperationKind, type OperationReport, PHASES_OF } from '@evergrant/controller/core/operations';
import type { PendingFenceStep } from '@evergrant/controller/core/pending-fences';
import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import { TRANSITIONS } from '@evergrant/controller/core/transitions';
import type { HoldCause, StandbyWatch, Verdict, VerdictKind } from '@evergrant/controller/core/verdicts';
import { runbookSection } from '@evergrant/core/runbook-section';
import type { NotGrantingReason } from '@evergrant/server/epochs/core/role';

const ROOT = join(__dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const keysOf = <Key extends string>(all: Readonly<Record<Key, unknown>>): Key[] => Object.keys(all) as Key[];

const reason = 'so it is';

// The records below name every member of their type: a new member does not compile until it is added here, and the test
// fails until the runbook explains it.
const WATCHES: Readonly<Record<StandbyWatch, true>> = {
  well: true,
  application_down: true,
  database_down: true,
  both_down: true,
  unknown: true,
};

const HOLD_CAUSES: Readonly<Record<HoldCause, true>> = {
  application_unknown: true,
  database_unknown: true,
  witness_disagrees: true,
  witness_unknown: true,
  follower_hears_primary: true,
  follower_unknown: true,
  authority_renewed: true,
  renewal_unknown: true,
};

const VERDICTS: { readonly [Kind in VerdictKind]: readonly Extract<Verdict, { kind: Kind }>[] } = {
  healthy: [
    { kind: 'healthy', standby: 'ready', reason },
    { kind: 'healthy', standby: 'not_ready', reason },
  ],
  application_down: [{ kind: 'application_down', reason }],
  database_down: [{ kind: 'database_down', reason }],
  confirming: [{ kind: 'confirming', count: 1, needed: 12, reason }],
  hold: keysOf(HOLD_CAUSES).map((cause) => ({ kind: 'hold', cause, reason })),
  standby_not_ready: [{ kind: 'standby_not_ready', reason }],
  withheld: [{ kind: 'withheld', automation: 'paused', reason }],
  fail_over: [{ kind: 'fail_over', reason }],
  serving_from_standby: keysOf(WATCHES).map((watch) => ({ kind: 'serving_from_standby', watch, reason })),
  operating: [{ kind: 'operating', reason }],
};

const OUTCOMES: Readonly<Record<OperationReport['outcome'], true>> = { done: true, superseded: true, abandoned: true };

const DEBT_STEPS: Readonly<Record<PendingFenceStep['kind'], 'alert' | 'no alert'>> = {
  applied: 'alert',
  obsolete: 'alert',
  fence: 'no alert',
  wait: 'no alert',
};

const REASONS: Readonly<Record<NotGrantingReason, true>> = {
  starting: true,
  draining: true,
  database_unreachable: true,
  database_read_only: true,
  schema_outdated: true,
  authority_elsewhere: true,
  authority_unproven: true,
  epoch_not_open: true,
  epoch_closed: true,
};

/** The alerts of a verdict that persists, and of its end. */
function alertsOf(verdict: Verdict): Message[] {
  const well: Verdict = { kind: 'healthy', standby: 'ready', reason };
  let verdictState: VerdictState | null = null;
  const messages: Message[] = [];
  for (const [seen, nowMs] of [
    [verdict, 0],
    [verdict, 1e9],
    [well, 2e9],
  ] as const) {
    const evaluated = tell(verdictState, seen, DEFAULT_POLICY, nowMs);
    verdictState = evaluated.verdictState;
    if (evaluated.message !== null) messages.push(evaluated.message);
  }
  return messages;
}

const VERDICT_ALERTS = new Map(
  Object.values<readonly Verdict[]>(VERDICTS)
    .flat()
    .flatMap(alertsOf)
    .map(({ code, severity }) => [code, severity]),
);

/** The alerts that do not come from a verdict. The last test finds the code that raises them. */
function raisedCodes(): string[] {
  const kinds = keysOf<OperationKind>(PHASES_OF);
  return [
    'stuck',
    ...kinds.map((kind) => `${kind}-started`),
    ...kinds.flatMap((kind) => keysOf(OUTCOMES).map((outcome) => `${kind}-${outcome}`)),
    ...keysOf(DEBT_STEPS).flatMap((step) => (DEBT_STEPS[step] === 'alert' ? [`pending-fence-${step}`] : [])),
  ];
}

const RUNBOOK = read('docs/runbook.md');
const HEADINGS = [...RUNBOOK.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
const rowsUnder = (title: string): string[][] => {
  const section = RUNBOOK.split(/^(?=\| alert |## )/m).find((part) => part.startsWith(title)) ?? '';
  return [...section.matchAll(/^\| (.+) \|$/gm)].map(([, cells = '']) => cells.split(' | ')).slice(2);
};
const namesUnder = (title: string): string[] =>
  rowsUnder(title).flatMap(([first = '']) => [...first.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));

const ALERTS = rowsUnder('| alert ').flatMap(([first = '', severity = '']) =>
  [...first.matchAll(/\[([^\]]+)\]\(#([^)]+)\)/g)].map(([, code = '', heading = '']) => ({ code, heading, severity })),
);
/** A row names a code or a pattern such as `*-done`. A row with the exact code has priority. */
const rowOf = (code: string) =>
  ALERTS.find((row) => row.code === code) ??
  ALERTS.find((row) => row.code.startsWith('*') && code.endsWith(row.code.slice(1)));

const CODES = [...VERDICT_ALERTS.keys(), ...raisedCodes()];

describe('runbook', () => {
  it.each(CODES)('has a section for the alert %s', (code) => {
    expect(HEADINGS).toContain(rowOf(code)?.heading);
  });

  it.each(CODES)('is linked by the alert %s at its section', (code) => {
    expect(runbookSection(code)).toBe(rowOf(code)?.heading);
  });

  it('lists only existing alerts', () => {
    expect(ALERTS.filter((row) => !CODES.some((code) => rowOf(code) === row))).toEqual([]);
  });

  it.each([...VERDICT_ALERTS])('names the severity of %s: %s', (code, severity) => {
    expect(rowOf(code)?.severity).toBe(severity);
  });

  it('explains every cause of a hold', () => {
    expect(namesUnder('## hold').sort()).toEqual(keysOf(HOLD_CAUSES).sort());
  });

  it('has an obstacle for every phase that can wait', () => {
    const phases = TRANSITIONS.filter(({ next }) => next === 'stay').map(({ phase }) => phase);
    expect(namesUnder('## stuck').sort()).toEqual([...new Set<string>(phases)].sort());
  });

  it('explains every reason for which a server does not grant', () => {
    expect(namesUnder('## nothing-grants')).toEqual(expect.arrayContaining(keysOf(REASONS)));
  });

  it('links only to sections that exist', () => {
    const links = [...RUNBOOK.matchAll(/\]\(#([^)]+)\)/g)].map(([, heading]) => heading);
    expect(links.filter((heading) => !HEADINGS.includes(heading))).toEqual([]);
  });
});

test('runbook: this test knows every place that raises an alert, and its code', () => {
  const sources = readdirSync(join(ROOT, 'packages/controller/src'), { recursive: true, encoding: 'utf8' });
  const raised = sources
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => [...read(join('packages/controller/src', path)).matchAll(/\.alert\((.{0,80})/gs)])
    .map(([, text = '']) => /^\{\s*code: [`']([^`']+)/.exec(text)?.[1]?.replaceAll('$', '') ?? text.split(')')[0]);
  // `message` is the alert of a verdict.
  expect(raised.sort()).toEqual(
    ['message', 'stuck', 'pending-fence-{step.kind}', '{kind}-started', '{operation.kind}-{outcome}'].sort(),
  );
});
