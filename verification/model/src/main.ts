/**
 * `npm run model`: explores every state of the granting rules in a small world, then once more without each rule. Exits
 * with 0 only if all rules together allow no violation, and the absence of any one rule does. README.md says what this
 * shows that the simulator does not.
 */
import { parseArgs } from 'node:util';
import { type Exploration, explore } from './explore';
import { ALL_RULES, type Rules } from './rules';
import { SHAPES } from './shapes';

const USAGE = `npm run model -- [--tail N] [--trace]

  --tail N   largest number of commits in flight to the follower (default 2; 3 takes some minutes)
  --trace    print the shortest way to a violation for each disabled rule
  --help

Exit code 0: no violation with all rules, and one without each rule; 1: otherwise; 2: usage error.`;

const RULE_NAMES = Object.keys(ALL_RULES) as (keyof Rules)[];

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function printTrace(found: Exploration): void {
  if (found.kind === 'violated') for (const step of [...found.trace, `=> ${found.what}`]) print(`      ${step}`);
}

/** Explores every shape with all rules. */
function hasNoViolation(tailMax: number): boolean {
  let clean = true;
  for (const shape of SHAPES) {
    const startedAtMs = performance.now();
    const found = explore(ALL_RULES, { ...shape, tailMax });
    const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
    const size = `${shape.seats} seats, escrow ${shape.escrow}, ${shape.leases} leases`;
    print(`all rules        ${size}: ${found.kind}, ${found.states.toLocaleString('en')} states, ${seconds} s`);
    printTrace(found);
    clean &&= found.kind === 'complete';
  }
  return clean;
}

function isNeeded(rule: keyof Rules, { tailMax, trace }: { tailMax: number; trace: boolean }): boolean {
  for (const shape of SHAPES) {
    const found = explore({ ...ALL_RULES, [rule]: false }, { ...shape, tailMax });
    if (found.kind !== 'violated') continue;
    print(`without ${rule}: violated in ${found.trace.length} steps: ${found.what}`);
    if (trace) printTrace(found);
    return true;
  }
  print(`without ${rule}: no violation; the rule is not needed or not tested`);
  return false;
}

function main(): number {
  const { values } = parseArgs({
    options: {
      tail: { type: 'string', default: '2' },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    print(USAGE);
    return 0;
  }
  const tailMax = Number(values.tail);
  if (!Number.isInteger(tailMax) || tailMax < 1)
    throw new Error(`--tail is "${values.tail}"; it must be a whole number of at least 1`);
  const clean = hasNoViolation(tailMax);
  const needed = RULE_NAMES.filter((rule) => isNeeded(rule, { tailMax, trace: values.trace }));
  return clean && needed.length === RULE_NAMES.length ? 0 : 1;
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}\n`);
  process.exitCode = 2;
}
