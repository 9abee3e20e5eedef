/**
 * `npm run simulate`: the product's own servers, controller and client in two simulated regions, in virtual time, under
 * random faults. Exits with 0 only if no invariant was violated.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIVENESS_ONLY, RULE_NAMES, type Rule } from './mutations';
import { type Options, readOptions, USAGE, UsageError } from './options';
import { coverageTable, jsonReport, progressLine, ruleText, scenarioText, traceText } from './report';
import { run } from './run';
import { drawScenario } from './scenario/draw';
import { PROFILE_OF } from './scenario/profile-of-rule';
import { shrink } from './shrink';
import { type Failure, runWorkerPool } from './worker-pool';

/** Fixed, so that the same commit has the same result on every machine. Fresh seeds are searched every night. */
const CI = { from: 1, seeds: 400 };
const FAILURES_MAX = 3;
const STORED_TRIES_MAX = 30;
const PROGRESS_EVERY_MS = 5_000;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Resolves to whether no invariant was violated. */
async function searchSeeds(options: Options): Promise<boolean> {
  const startedAtMs = performance.now();
  const { json, disabled, from, profile } = options;
  let printedAtMs = startedAtMs;
  const { totals, failures } = await runWorkerPool({
    ...options,
    failuresMax: FAILURES_MAX,
    checksLiveness: true,
    onProgress: (current) => {
      const nowMs = performance.now();
      if (json || nowMs - printedAtMs < PROGRESS_EVERY_MS) return;
      printedAtMs = nowMs;
      print(`  ${progressLine(current, nowMs - startedAtMs)}`);
    },
  });
  const elapsedMs = performance.now() - startedAtMs;
  if (json) {
    print(jsonReport({ from, disabled, profile, elapsedMs, totals, failures }));
    return failures.length === 0;
  }
  print(`from seed ${from}: ${progressLine(totals, elapsedMs)}`);
  print(coverageTable(totals));
  for (const failure of failures) await explain(failure, options);
  print(failures.length === 0 ? 'No invariant was violated.' : `${failures.length} seed(s) violated an invariant.`);
  return failures.length === 0;
}

/** Prints the seed, the smallest scenario with the same violation, and its trace. */
async function explain({ seed, invariant, detail }: Failure, { disabled, whole, profile }: Options): Promise<void> {
  const rules = new Set(disabled);
  print(`\nSeed ${seed} violates ${detail}`);
  const drawn = drawScenario(seed, profile);
  const scenario = whole ? drawn : (await shrink(drawn, { invariant, disabled: rules })).scenario;
  print(scenarioText(scenario));
  print(traceText(await run(scenario, { disabled: rules, tracing: true })));
  const flags = [...disabled.map((rule) => ` --disable ${rule}`), ...(profile ? [` --profile ${profile}`] : [])];
  print(`Repeat with: npm run simulate -- --seeds 1 --from ${seed}${flags.join('')}\n`);
}

/** Searches, for each rule, the first seed that violates an invariant while the rule is disabled. */
async function searchRules(options: Options): Promise<boolean> {
  let allDetected = true;
  const rules = options.disabled.length > 0 ? options.disabled : RULE_NAMES;
  for (const rule of rules) {
    const startedAtMs = performance.now();
    const { totals, failures } = await runWorkerPool({
      ...options,
      disabled: [rule],
      failuresMax: 1,
      profile: options.profile ?? PROFILE_OF[rule],
      checksLiveness: LIVENESS_ONLY.has(rule),
      onProgress: () => undefined,
    });
    const [failure] = failures;
    const duration = `${totals.seeds} seeds, ${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s`;
    const result = failure ? `seed ${failure.seed}: ${failure.detail}` : 'no violation';
    print(`${ruleText(rule)} disabled: ${result} (${duration})`);
    allDetected &&= failure !== undefined;
    if (failure && options.store) await storeScenario(rule, failure, options.store);
  }
  return allDetected;
}

/** Stores a scenario only when the rule alone makes the difference: with the rule, no invariant is violated. */
async function storeScenario(rule: Rule, { seed, invariant }: Failure, folder: string): Promise<void> {
  const disabled = new Set([rule]);
  const drawn = drawScenario(seed, PROFILE_OF[rule]);
  const { scenario } = await shrink(drawn, { invariant, disabled, triesMax: STORED_TRIES_MAX });
  const withRule = await run(scenario, { checksLiveness: LIVENESS_ONLY.has(rule) });
  if (withRule.violation) return print(`  not stored: with the rule it violates ${withRule.violation.detail}`);
  writeFileSync(join(folder, `${rule}.json`), `${JSON.stringify({ rule, invariant, scenario }, null, 2)}\n`);
}

async function main(): Promise<number> {
  const { options, mode } = readOptions(process.argv.slice(2));
  // Violations are expected, and a stack trace costs more than the rest of a run.
  Error.stackTraceLimit = 0;
  switch (mode) {
    case 'help':
      print(USAGE);
      return 0;
    case 'seeds':
      return (await searchSeeds(options)) ? 0 : 1;
    case 'ci':
      return (await searchSeeds({ ...options, ...CI })) ? 0 : 1;
    case 'rules':
      return (await searchRules(options)) ? 0 : 1;
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const isUsage = error instanceof UsageError;
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${isUsage ? `\n${USAGE}\n` : ''}`);
    process.exitCode = isUsage ? 2 : 1;
  },
);
