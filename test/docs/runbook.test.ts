import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AlertContent, evaluateAlerts } from '@evergrant/controller/core/alerting';
import type { VerdictState } from '@evergrant/controller/core/control-record';
import { type OperationKind, type OperationReport, PHASES_OF } from '@evergrant/controller/core/operations';
import type { PendingFenceStep } from '@evergrant/controller/core/pending-fences';
import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import type { ActiveRegionWatch, HoldCause, Verdict, VerdictKind } from '@evergrant/controller/core/verdicts';
import { TRANSITIONS } from '@evergrant/controller/phases/index';
import { runbookSection } from '@evergrant/core/runbook-section';
import type { NotGrantingReason } from '@evergrant/server/epochs/core/role';

const ROOT = join(__dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const keysOf = <Key extends string>(all: Readonly<Record<Key, unknown>>): Key[] => Object.keys(all) as Key[];

const reason = 'a reason';

// The records below must name every member of their type. A new member does not compile until it is listed here, and then
// the test fails until the runbook explains it.
const WATCHES: Readonly<Record<ActiveRegionWatch, true>> = {
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
  not_rejoined: keysOf(WATCHES).map((watch) => ({ kind: 'not_rejoined', watch, reason })),
  operating: [{ kind: 'operating', reason }],
};

const OUTCOMES: Readonly<Record<OperationReport['outcome'], true>> = { done: true, superseded: true, abandoned: true };

const PENDING_FENCE_STEPS: Readonly<Record<PendingFenceStep['kind'], 'alert' | 'no alert'>> = {
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

/** The alerts of a verdict that lasts indefinitely, and of its end. */
function alertsOf(verdict: Verdict): AlertContent[] {
  const well: Verdict = { kind: 'healthy', standby: 'ready', reason };
  let verdictState: VerdictState | undefined;
  const messages: AlertContent[] = [];
  for (const [seen, nowMs] of [
    [verdict, 0],
    [verdict, 1e9],
    [well, 2e9],
  ] as const) {
    const evaluation = evaluateAlerts(verdictState, seen, DEFAULT_POLICY, nowMs);
    verdictState = evaluation.verdictState;
    if (evaluation.alert !== undefined) messages.push(evaluation.alert);
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
    ...keysOf(PENDING_FENCE_STEPS).flatMap((step) =>
      PENDING_FENCE_STEPS[step] === 'alert' ? [`pending-fence-${step}`] : [],
    ),
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
/** A row names a code, or a common ending such as `*-done`. The row with the exact code has precedence. */
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

  it('lists no alert that is never sent', () => {
    expect(ALERTS.filter((row) => !CODES.some((code) => rowOf(code) === row))).toEqual([]);
  });

  it.each([...VERDICT_ALERTS])('gives %s the severity %s', (code, severity) => {
    expect(rowOf(code)?.severity).toBe(severity);
  });

  it('explains every cause of a hold', () => {
    expect(namesUnder('## hold').sort()).toEqual(keysOf(HOLD_CAUSES).sort());
  });

  it('names an obstacle for every phase that can stay', () => {
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

test('controller: raises alerts only in the known places, with the known codes', () => {
  const sources = readdirSync(join(ROOT, 'packages/controller/src'), { recursive: true, encoding: 'utf8' });
  const raised = sources
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => [...read(join('packages/controller/src', path)).matchAll(/\.addAlert\((.{0,80})/gs)])
    .map(([, text = '']) => /^\{\s*code: [`']([^`']+)/.exec(text)?.[1]?.replaceAll('$', '') ?? text.split(')')[0]);
  // `alert` is the alert of a verdict, from `evaluateAlerts`.
  expect(raised.sort()).toEqual(
    ['alert', 'stuck', 'pending-fence-{step.kind}', '{kind}-started', '{operation.kind}-{outcome}'].sort(),
  );
});

/** The section that explains each CloudWatch alarm. */
const ALARM_SECTIONS: Readonly<Record<string, string>> = {
  'no server lives': 'application-down',
  'too few servers': 'too-few-servers',
  'certificate expires': 'certificate-expires',
  'load balancer fails': 'failure-rate',
  'failure rate': 'failure-rate',
  'slow responses': 'slow-responses',
  'database silent': 'database-down',
  'database busy': 'database-busy',
  'disk fills': 'disk-fills',
  'replica lag': 'replica-lag',
  'slot lag': 'slot-lag',
  'lease denials': 'lease-denials',
  'unprotected grants': 'granting-unprotected',
  'several followers': 'several-followers',
  'license expires': 'license-expiring',
  'controller heartbeat missing': 'controller-silent',
  'controller heartbeat missing, seen from here': 'controller-silent',
  'controller failed': 'controller-silent',
  'late starts': 'controller-silent',
  'controller blind': 'controller-blind',
  'pending fence open': 'pending-fence',
  'automation not armed': 'automation-unarmed',
  'holding for long': 'hold',
};

const ALARMS = readdirSync(join(ROOT, 'lib/alarms')).flatMap((file) =>
  [...read(join('lib/alarms', file)).matchAll(/name: '([^']+)',.*?runbook: '([^']+)'/gs)].map(([, name, section]) => ({
    name: String(name),
    section: String(section),
  })),
);

describe('CloudWatch alarms', () => {
  it('link to the section of their own meaning', () => {
    expect(Object.fromEntries(ALARMS.map(({ name, section }) => [name, section]))).toEqual(ALARM_SECTIONS);
  });

  it.each(Object.entries(ALARM_SECTIONS))('%s: the table of the runbook names the section %s', (name, section) => {
    const row = rowsUnder('## on-aws').find(([names = '']) =>
      names
        .replace(/ \(.*?\)/g, '')
        .split(', ')
        .includes(name),
    );
    if (name !== 'controller heartbeat missing, seen from here') expect(row?.[1]).toBe(`[${section}](#${section})`);
  });

  it.each([...new Set(Object.values(ALARM_SECTIONS))])('%s: the section says what to do', (section) => {
    const text = RUNBOOK.split(/^(?=## )/m).find((part) => part.startsWith(`## ${section}\n`)) ?? '';
    const [, resolve = ''] = text.split('**Resolve.**');
    expect(resolve.trim()).not.toMatch(/^(Nothing\.)?$/);
  });
});
