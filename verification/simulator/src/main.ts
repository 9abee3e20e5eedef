/**
 * `npm run simulate`: the product's own cores in two simulated regions, in virtual time, under faults that a seed draws.
 * Exits 0 only if no promise was broken.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PUNISHED_IN_THE_END, RULE_NAMES, type Rule, THEME_OF } from './mutations';
import { coverageTable, jsonReport, progressLine, ruleText, scenarioText, traceText } from './report';
import { run } from './run';
import { drawScenario, THEMES } from './scenario/draw';
import type { Theme } from './scenario/profiles';
import { shrink } from './shrink';
import { type Failure, runCrew } from './worker-pool';

const HELP = `npm run simulate -- [--seeds N] [--from SEED] [--without RULE] [--workers N] [--json] [--whole]
npm run simulate -- --ci
npm run simulate -- --rules [--seeds N]

  --seeds N       how many runs (default 200)
  --from SEED     the first seed (default: drawn from the time, and printed)
  --without RULE  leaves a rule out, in the simulator alone; may be given more than once
  --theme NAME    only this kind of story: ${Object.keys(THEMES).join(', ')}
  --workers N     threads (default: one a processor, two at most)
  --within S      ends after so many seconds, whatever is left
  --whole         tells the whole trace of a failure, not that of its shrunk scenario
  --json          prints one JSON document instead of text; a failure's scenario is in it
  --ci            fixed seeds, then fresh ones, for less than a minute
  --rules         searches, for each rule left out, the first seed that breaks a promise
  --keep FOLDER   with --rules: keeps the shrunk scenario of each rule there, for the tests
  --help

Rules: ${RULE_NAMES.join(', ')}.
Exit code 0: no promise was broken (--rules: for each rule one was); 1: otherwise; 2: the command line is wrong.`;

const CI = { fixed: { from: 1, seeds: 1_000, withinMs: 20_000 }, fresh: { seeds: 100_000, withinMs: 30_000 } };
const FAILURES_MAX = 3;
const WORKERS_MAX = 2;
const KEPT_TRIES_MAX = 30;

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly without: readonly Rule[];
  readonly workers: number;
  readonly withinMs: number | undefined;
  readonly json: boolean;
  readonly whole: boolean;
  readonly theme: Theme | undefined;
  readonly keep: string | undefined;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function readOptions(): { options: Options; mode: 'seeds' | 'ci' | 'rules' | 'help' } {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '200' },
      from: { type: 'string', default: String(Math.floor(Date.now() / 1_000) % 100_000_000) },
      without: { type: 'string', multiple: true, default: [] },
      workers: { type: 'string', default: String(Math.min(WORKERS_MAX, cpus().length)) },
      within: { type: 'string' },
      keep: { type: 'string' },
      theme: { type: 'string' },
      json: { type: 'boolean', default: false },
      whole: { type: 'boolean', default: false },
      ci: { type: 'boolean' },
      rules: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  const without = values.without.map((name) => {
    const rule = RULE_NAMES.find((known) => known === name);
    if (rule === undefined) throw new TypeError(`--without ${name}: there is no such rule`);
    return rule;
  });
  const theme = (Object.keys(THEMES) as Theme[]).find((known) => known === values.theme);
  if (values.theme !== undefined && theme === undefined)
    throw new TypeError(`--theme ${values.theme}: there is no such theme`);
  const { json, whole, keep } = values;
  const options = {
    ...{
      json,
      whole,
      keep,
      without,
      theme,
      seeds: wholeNumber('--seeds', values.seeds),
      from: wholeNumber('--from', values.from),
    },
    workers: wholeNumber('--workers', values.workers),
    withinMs: values.within === undefined ? undefined : wholeNumber('--within', values.within) * 1_000,
  };
  const mode = values.help ? 'help' : values.rules ? 'rules' : values.ci ? 'ci' : 'seeds';
  return { options, mode };
}

function wholeNumber(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new TypeError(`${option} is "${text}"; it is a whole number from 1`);
  return number;
}

/** Resolves to whether nothing was broken. */
async function searchSeeds(options: Options): Promise<boolean> {
  const startedAtMs = performance.now();
  const { json, without } = options;
  let toldAtMs = startedAtMs;
  const { totals, failures } = await runCrew({
    ...options,
    failuresMax: FAILURES_MAX,
    mending: true,
    onProgress: (sofar) => {
      const nowMs = performance.now();
      if (json || nowMs - toldAtMs < 5_000) return;
      toldAtMs = nowMs;
      say(`  ${progressLine(sofar, nowMs - startedAtMs)}`);
    },
  });
  const elapsedMs = performance.now() - startedAtMs;
  if (json) {
    say(jsonReport({ from: options.from, without, theme: options.theme, elapsedMs, totals, failures }));
    return failures.length === 0;
  }
  say(`from seed ${options.from}: ${progressLine(totals, elapsedMs)}`);
  say(coverageTable(totals));
  for (const failure of failures) await explain(failure, options);
  say(failures.length === 0 ? 'No promise was broken.' : `${failures.length} seed(s) broke a promise.`);
  return failures.length === 0;
}

/** The seed, the smallest scenario that does the same, and what happens in it. */
async function explain({ seed, promise, detail }: Failure, { without, whole, theme }: Options) {
  const rules = new Set(without);
  say(`\nSeed ${seed} breaks ${detail}`);
  const scenario = whole
    ? drawScenario(seed, theme)
    : (await shrink(drawScenario(seed, theme), { promise, without: rules })).scenario;
  say(scenarioText(scenario));
  say(traceText(await run(scenario, { without: rules, tracing: true })));
  const left = [...without.map((rule) => ` --without ${rule}`), ...(theme ? [` --theme ${theme}`] : [])].join('');
  say(`Again: npm run simulate -- --seeds 1 --from ${seed}${left}\n`);
}

/** For each rule, the first seed that breaks a promise without it. Resolves to whether every rule has one. */
async function searchRules(options: Options): Promise<boolean> {
  let allPunished = true;
  const rules = options.without.length > 0 ? options.without : RULE_NAMES;
  for (const rule of rules) {
    const startedAtMs = performance.now();
    const { totals, failures } = await runCrew({
      ...{
        ...options,
        without: [rule],
        failuresMax: 1,
        theme: options.theme ?? THEME_OF[rule],
        mending: PUNISHED_IN_THE_END.has(rule),
      },
      onProgress: () => undefined,
    });
    const [failure] = failures;
    const took = `${totals.seeds} seeds, ${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s`;
    say(
      `without ${ruleText(rule)}: ${failure ? `seed ${failure.seed}: ${failure.detail}` : 'nothing breaks'} (${took})`,
    );
    allPunished &&= failure !== undefined;
    if (failure && options.keep) await keepCase(rule, failure, options.keep);
  }
  return allPunished;
}

/** Kept only when the rule alone makes the difference: with it the same scenario is clean. */
async function keepCase(rule: Rule, { seed, promise }: Failure, folder: string): Promise<void> {
  const without = new Set([rule]);
  const { scenario } = await shrink(drawScenario(seed, THEME_OF[rule]), { promise, without, triesMax: KEPT_TRIES_MAX });
  const whole = await run(scenario, { mending: PUNISHED_IN_THE_END.has(rule) });
  if (whole.broken) return say(`  not kept: with the rule it breaks ${whole.broken.detail}`);
  writeFileSync(join(folder, `${rule}.json`), `${JSON.stringify({ rule, promise, scenario }, null, 2)}\n`);
}

async function searchForCi(options: Options): Promise<boolean> {
  say('Fixed seeds:');
  const fixed = await searchSeeds({ ...options, ...CI.fixed });
  say('\nFresh seeds:');
  const fresh = await searchSeeds({ ...options, ...CI.fresh });
  return fixed && fresh;
}

async function main(): Promise<number> {
  const { options, mode } = readOptions();
  Error.stackTraceLimit = 0;
  switch (mode) {
    case 'help':
      say(HELP);
      return 0;
    case 'seeds':
      return (await searchSeeds(options)) ? 0 : 1;
    case 'ci':
      return (await searchForCi(options)) ? 0 : 1;
    case 'rules':
      return (await searchRules(options)) ? 0 : 1;
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const isOurs = error instanceof TypeError;
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${isOurs ? `\n${HELP}\n` : ''}`);
    process.exitCode = isOurs ? 2 : 1;
  },
);
