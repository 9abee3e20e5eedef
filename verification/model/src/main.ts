/**
 * `npm run model`: explores the granting rules completely in a small world, then once more without each of them.
 * Exits 0 only if the whole breaks no promise, and the lack of any one rule breaks one.
 */
import { parseArgs } from 'node:util';
import { type Exploration, explore } from './explore';
import { ALL_RULES, type Rules } from './rules';
import { SHAPES } from './shapes';

const HELP = `npm run model -- [--tail N] [--trace]

  --tail N   how many commits may be on their way to the follower at once (default 2; 3 takes some minutes)
  --trace    for each rule left out, the shortest way to a broken promise
  --help

Exit code 0: complete and unbroken, and no rule can be left out; 1: otherwise; 2: the command line is wrong.`;

const RULE_NAMES = Object.keys(ALL_RULES) as (keyof Rules)[];

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function sayTrace(found: Exploration): void {
  if (found.kind === 'broken') for (const step of [...found.trace, `=> ${found.what}`]) say(`      ${step}`);
}

/** All rules, in every shape. */
function isWhole(tailMax: number): boolean {
  let whole = true;
  for (const shape of SHAPES) {
    const startedAtMs = performance.now();
    const found = explore(ALL_RULES, { ...shape, tailMax });
    const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
    const size = `${shape.seats} seats, escrow ${shape.escrow}, ${shape.leases} leases`;
    say(`all rules        ${size}: ${found.kind}, ${found.states.toLocaleString('en')} states, ${seconds} s`);
    sayTrace(found);
    whole &&= found.kind === 'complete';
  }
  return whole;
}

function isNeeded(rule: keyof Rules, { tailMax, trace }: { tailMax: number; trace: boolean }): boolean {
  for (const shape of SHAPES) {
    const found = explore({ ...ALL_RULES, [rule]: false }, { ...shape, tailMax });
    if (found.kind !== 'broken') continue;
    say(`without ${rule}: broken in ${found.trace.length} steps: ${found.what}`);
    if (trace) sayTrace(found);
    return true;
  }
  say(`without ${rule}: nothing breaks; it is not needed, or not tested`);
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
    say(HELP);
    return 0;
  }
  const tailMax = Number(values.tail);
  if (!Number.isInteger(tailMax) || tailMax < 1)
    throw new Error(`--tail is "${values.tail}"; it must be a whole number from 1`);
  const whole = isWhole(tailMax);
  const needed = RULE_NAMES.filter((rule) => isNeeded(rule, { tailMax, trace: values.trace }));
  return whole && needed.length === RULE_NAMES.length ? 0 : 1;
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${HELP}\n`);
  process.exitCode = 2;
}
