/**
 * `npm run bench`: how fast the license server is, beside what PostgreSQL commits alone in the same run. Exits 0 only
 * if the ratios that must hold on any machine held.
 */
import pc from 'picocolors';
import { checkAssertions } from './assertions';
import { BENCH_USAGE, BenchUsageError, parseOptions } from './options';
import { benchReportText, composeReport } from './report';
import { runBench } from './run';
import { summarise } from './summary';

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(`${BENCH_USAGE}\n`);
    return 0;
  }
  const started = performance.now();
  const print = (line: string): void => {
    const seconds = ((performance.now() - started) / 1000).toFixed(0).padStart(4);
    process.stderr.write(`${pc.dim(`${seconds} s  ${line}`)}\n`);
  };
  const { measurements, idleSessions, failovers } = await runBench(options, print);
  const { cases } = options;
  const summaries = cases.map((bench) => summarise(bench, measurements, options));
  const rules = checkAssertions(cases, { summaries, measurements, failovers });
  const report = composeReport(options, { summaries, rules, idleSessions, failovers });
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : `${benchReportText(report, cases)}\n`);
  return report.held ? 0 : 1;
}

void main()
  .catch((error: unknown) => {
    const usage = error instanceof BenchUsageError;
    process.stderr.write(`${pc.red(usage ? error.message : String((error as Error).stack ?? error))}\n`);
    return usage ? 2 : 1;
  })
  .then((code) => process.exit(code));
