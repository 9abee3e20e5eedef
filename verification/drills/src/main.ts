/**
 * `npm run drill -- --scenario NAME [--json]`: a disaster in a fresh world. Exits 0 only if every promise held.
 */
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import type { Scenario } from './drill';
import { type DrillReport, reportText } from './report';
import { type DrillOptions, runDrill } from './run';
import { SCENARIOS } from './scenarios/all';

const HELP = `npm run drill -- --scenario NAME [--json]     one disaster in a fresh world of its own
npm run drill:all [-- --json]                 all of them, one after the other

  --scenario NAME   repeatable; one of:
${SCENARIOS.map(({ name, summary }) => `      ${name.padEnd(19)} ${summary}`).join('\n')}
  --all             every scenario
  --seed N          what the Control Rooms do is drawn from it (default: by chance, and told)
  --rooms N         busy Control Rooms (default 12)
  --json            the reports as one JSON document on standard output
  --help

Exit code 0: every promise held; 1: one did not, or a drill could not be carried through; 2: the command line is wrong.`;

interface Wanted {
  readonly scenarios: readonly Scenario[];
  readonly json: boolean;
  readonly help: boolean;
  readonly seed: number;
  readonly rooms: number;
}

class UsageError extends Error {}

function wholeNumber(text: string | undefined, name: string, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`--${name} is "${text}"; it must be a whole number from 1`);
  return value;
}

function parse(argv: readonly string[]): Wanted {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      scenario: { type: 'string', multiple: true, default: [] },
      all: { type: 'boolean', default: false },
      seed: { type: 'string' },
      rooms: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const named = values.scenario.map((name) => {
    const scenario = SCENARIOS.find((candidate) => candidate.name === name);
    if (!scenario)
      throw new UsageError(
        `there is no scenario "${name}"; there are: ${SCENARIOS.map((each) => each.name).join(', ')}`,
      );
    return scenario;
  });
  if (!values.help && !values.all && named.length === 0) throw new UsageError(`which scenario?\n\n${HELP}`);
  return {
    scenarios: values.all ? SCENARIOS : named,
    json: values.json,
    help: values.help,
    seed: wholeNumber(values.seed, 'seed', Math.floor(Math.random() * 1_000_000) + 1),
    rooms: wholeNumber(values.rooms, 'rooms', 12),
  };
}

async function runAll(wanted: Wanted): Promise<DrillReport[]> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const reports: DrillReport[] = [];
  for (const scenario of wanted.scenarios) {
    say(`\n${pc.bold(scenario.name)}: ${scenario.summary} ${pc.dim(`(seed ${wanted.seed})`)}`);
    const begun = performance.now();
    const options: DrillOptions = {
      seed: wanted.seed,
      busyRooms: wanted.rooms,
      steadyRooms: 10,
      tell: (line) => say(pc.dim(`  ${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}`)),
    };
    const report = await runDrill(scenario, options);
    reports.push(report);
    if (!wanted.json) process.stdout.write(`${reportText(report)}\n`);
  }
  return reports;
}

async function main(): Promise<number> {
  const wanted = parse(process.argv.slice(2));
  if (wanted.help) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const reports = await runAll(wanted);
  const failed = reports.filter(({ passed }) => !passed);
  if (wanted.json) process.stdout.write(`${JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2)}\n`);
  else process.stdout.write(`\n${reports.length - failed.length} passed, ${failed.length} failed\n`);
  return failed.length === 0 ? 0 : 1;
}

void main()
  .catch((error: unknown) => {
    const usage = error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
    process.stderr.write(`${pc.red(usage ? (error as Error).message : String((error as Error).stack ?? error))}\n`);
    return usage ? 2 : 1;
  })
  .then((code) => process.exit(code));
