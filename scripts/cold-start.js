/**
 * npm run cold-start: prints the size of the failover controller's bundle and the CPU seconds to load it and create its
 * clients, which Lambda does before the first invocation. Run `npm run synth` first.
 */
const { execFileSync } = require('node:child_process');
const { readFileSync, statSync } = require('node:fs');
const { join } = require('node:path');

const RUNS = 7;
const out = process.env.CDK_OUTDIR ?? join(__dirname, '../cdk.out');
const { Resources } = JSON.parse(readFileSync(join(out, 'Evergrant-Virginia.template.json'), 'utf8'));
const controller = Object.values(Resources).find(
  ({ Type, Properties }) => Type === 'AWS::Lambda::Function' && Properties.FunctionName.endsWith('-failover'),
);
const bundle = join(out, controller.Metadata['aws:asset:path'], 'index.js');
// Values that only a deployment knows are placeholders, because no client is called here.
const environment = Object.fromEntries(
  Object.entries(controller.Properties.Environment.Variables).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : 'known-when-deployed',
  ]),
);
const load = `require(${JSON.stringify(bundle)}); const { user, system } = process.cpuUsage(); process.stdout.write(String((user + system) / 1e6)); process.exit(0)`;
const nothing = load.replace(/^require\(.*?\); /, '');
const env = { PATH: process.env.PATH, AWS_REGION: 'us-east-1', AWS_LAMBDA_FUNCTION_NAME: 'x', ...environment };

/** CPU seconds of a program: the median of several runs, each in a separate process. */
function seconds(program) {
  const runs = Array.from({ length: RUNS }, () =>
    Number(execFileSync(process.execPath, ['-e', program], { env, encoding: 'utf8' })),
  );
  return runs.sort((left, right) => left - right)[Math.floor(RUNS / 2)];
}

const bare = seconds(nothing);
process.stdout.write(
  [
    `bundle: ${(statSync(bundle).size / 1e6).toFixed(2)} MB`,
    `load and client creation: ${(seconds(load) - bare).toFixed(2)} CPU seconds, in addition to ${bare.toFixed(2)} for Node.js ${process.version}`,
    '',
  ].join('\n'),
);
