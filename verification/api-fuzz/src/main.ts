/**
 * `npm run test:fuzz [-- --short]`: asks a real server, over real databases, what no client of ours would: requests
 * made from its own OpenAPI document, valid and not, with every kind of token and with none. Exits 0 only if every
 * answer was what the document says, none was a 5xx, and server and counts are sound afterwards.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import { forGenerator } from './document';
import { installSchemathesis, PythonMissingError } from './python';
import { fuzz } from './schemathesis';
import { FuzzTarget } from './target';

const HELP = `npm run test:fuzz [-- options]     every endpoint, fuzzed from the OpenAPI document

  --short      a minute: for every change (default: several minutes)
  --seed N     makes a run again (default: by chance, and told)
  --help

Needs Python 3.10 or newer; Schemathesis is installed into .cache automatically.
Exit code 0: nothing found; 1: something was; 2: the command line is wrong, or Python is missing.`;

const WHO = ['nobody', 'read', 'lease', 'admin'] as const;
type Who = (typeof WHO)[number];

/** How many examples for each endpoint, of which phases, and for how long they are repeated. */
interface Bounds {
  readonly phases: string;
  readonly examplesMax: number;
  readonly spendSeconds: number | undefined;
}
const EVERY_PHASE = 'examples,coverage,fuzzing,stateful';

/** In a minute: what a token may do in depth, what it may not by a few samples. */
const SHORT: Readonly<Record<Who, Bounds>> = {
  nobody: { phases: 'fuzzing', examplesMax: 4, spendSeconds: undefined },
  read: { phases: 'fuzzing', examplesMax: 4, spendSeconds: undefined },
  lease: { phases: 'fuzzing,stateful', examplesMax: 8, spendSeconds: undefined },
  admin: { phases: EVERY_PHASE, examplesMax: 8, spendSeconds: undefined },
};
const IN_DEPTH: Bounds = { phases: EVERY_PHASE, examplesMax: 200, spendSeconds: 120 };
const LONG: Readonly<Record<Who, Bounds>> = { nobody: IN_DEPTH, read: IN_DEPTH, lease: IN_DEPTH, admin: IN_DEPTH };

const KNOWN = { product: 'automation', feature: ['bot-creator', 'unattended-runner'] };
interface FuzzOptions {
  readonly bounds: Readonly<Record<Who, Bounds>>;
  readonly seed: number;
  readonly help: boolean;
  /** The options that make this run again. */
  readonly again: string;
}

class UsageError extends Error {}

function parse(argv: readonly string[]): FuzzOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      short: { type: 'boolean', default: false },
      seed: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) + 1 : Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 1)
    throw new UsageError(`--seed is "${values.seed}"; it must be a whole number from 1`);
  const again = `${values.short ? '--short ' : ''}--seed ${seed}`;
  return { bounds: values.short ? SHORT : LONG, seed, help: values.help, again };
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const wanted = parse(process.argv.slice(2));
  if (wanted.help) {
    say(HELP);
    return 0;
  }
  const bin = await installSchemathesis(say);
  say(`seed ${wanted.seed}`);
  const target = await FuzzTarget.start();
  let found = 0;
  try {
    found = await fuzzAs(target, bin, wanted);
  } finally {
    // What was found leaves its logs behind.
    await target.stop({ keep: found > 0 });
  }
  if (found > 0) say(`logs: ${join(target.home, 'logs')}; once more: npm run test:fuzz -- ${wanted.again}`);
  return found > 0 ? 1 : 0;
}

function folder(path: string): string {
  mkdirSync(path);
  return path;
}

/** Resolves to the number of findings. */
async function fuzzAs(target: FuzzTarget, bin: string, { bounds, seed }: FuzzOptions): Promise<number> {
  const documentFile = join(target.home, 'openapi.json');
  writeFileSync(documentFile, JSON.stringify(forGenerator(await target.document(), KNOWN)));
  let [passed, failed, found] = [0, 0, 0];
  for (const who of WHO) {
    const before = performance.now();
    const result = await fuzz({
      bin,
      documentFile,
      address: target.address,
      token: who === 'nobody' ? undefined : target.tokens[who],
      seed,
      ...bounds[who],
      scratch: folder(join(target.home, `fuzz-${who}`)),
    });
    const took = ((performance.now() - before) / 1000).toFixed(1);
    const verdict = result.findings.length === 0 ? pc.green('nothing found') : pc.red('FOUND');
    say(`${who.padEnd(7)} ${result.operations} operations, ${result.requests} requests, ${took} s: ${verdict}`);
    for (const finding of result.findings) say(`  ${pc.red(finding)}`);
    if (result.findings.length > 0) say(result.output);
    if (result.findings.length === 0) passed += 1;
    else failed += 1;
    found += result.findings.length;
  }
  say(`answered: ${await target.answers()}`);
  const wounds = await target.wounds();
  for (const wound of wounds) say(`  ${pc.red(wound)}`);
  if (wounds.length === 0) passed += 1;
  else failed += 1;
  say(`\n${passed} passed, ${failed} failed`);
  return found + wounds.length;
}

void main()
  .catch((error: unknown) => {
    const code = (error as { code?: string }).code ?? '';
    const expected =
      error instanceof UsageError || error instanceof PythonMissingError || code.startsWith('ERR_PARSE_ARGS');
    process.stderr.write(`${pc.red(expected ? (error as Error).message : String((error as Error).stack ?? error))}\n`);
    return expected ? 2 : 1;
  })
  .then((code) => process.exit(code));
