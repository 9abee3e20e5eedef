/**
 * `npm run drill -- --scenario NAME [--json]`: a disaster in a fresh local cluster. Exits with 0 only if every check passed.
 */
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import type { DrillScenario } from './drill';
import { type DrillReport, reportText } from './report';
import { type DrillOptions, runDrill } from './run';
import { SCENARIOS } from './scenarios/all';

const USAGE = `npm run drill -- --scenario NAME [--json]     run one disaster in a fresh local cluster
npm run drill:all [-- --json]                 run all scenarios, one after the other

  --scenario NAME   repeatable; one of:
${SCENARIOS.map(({ name, summary }) => `      ${name.padEnd(19)} ${summary}`).join('\n')}
  --all             run every scenario
  --seed N          seed of the Control Rooms' random actions (default: random, and printed)
  --rooms N         number of busy Control Rooms (default 12)
  --turns N         repetitions of both-directions (default 1)
  --json            print the reports as one JSON document
  --help

Exit code 0: every check passed; 1: a check failed or a drill could not be completed; 2: usage error.`;

interface DrillCommand {
  readonly scenarios: readonly DrillScenario[];
  readonly json: boolean;
  readonly help: boolean;
  readonly seed: number;
  readonly rooms: number;
  readonly turns: number;
}

class UsageError extends Error {}

function wholeNumber(text: string | undefined, name: string, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`--${name} is "${text}"; it must be a whole number of at least 1`);
  return value;
}

function parse(argv: readonly string[]): DrillCommand {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      scenario: { type: 'string', multiple: true, default: [] },
      all: { type: 'boolean', default: false },
      seed: { type: 'string' },
      rooms: { type: 'string' },
      turns: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const named = values.scenario.map((name) => {
    const scenario = SCENARIOS.find((candidate) => candidate.name === name);
    if (!scenario)
      throw new UsageError(
        `unknown scenario "${name}"; known scenarios: ${SCENARIOS.map((each) => each.name).join(', ')}`,
      );
    return scenario;
  });
  if (!values.help && !values.all && named.length === 0)
    throw new UsageError(`--scenario or --all is required\n\n${USAGE}`);
  return {
    scenarios: values.all ? SCENARIOS : named,
    json: values.json,
    help: values.help,
    seed: wholeNumber(values.seed, 'seed', Math.floor(Math.random() * 1_000_000) + 1),
    rooms: wholeNumber(values.rooms, 'rooms', 12),
    turns: wholeNumber(values.turns, 'turns', 1),
  };
}

async function runAll(command: DrillCommand): Promise<DrillReport[]> {
  const print = (line: string): void => void process.stderr.write(`${line}\n`);
  const reports: DrillReport[] = [];
  for (const scenario of command.scenarios) {
    print(`\n${pc.bold(scenario.name)}: ${scenario.summary} ${pc.dim(`(seed ${command.seed})`)}`);
    const begun = performance.now();
    const options: DrillOptions = {
      seed: command.seed,
      busyRooms: command.rooms,
      steadyRooms: 10,
      turns: command.turns,
      print: (line) => print(pc.dim(`  ${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}`)),
    };
    const report = await runDrill(scenario, options);
    reports.push(report);
    if (!command.json) process.stdout.write(`${reportText(report)}\n`);
  }
  return reports;
}

async function main(): Promise<number> {
  const command = parse(process.argv.slice(2));
  if (command.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const reports = await runAll(command);
  const failed = reports.filter(({ passed }) => !passed);
  if (command.json) process.stdout.write(`${JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2)}\n`);
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
