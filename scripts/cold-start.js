/**
 * npm run cold-start: how large the failover controller's bundle is, and what it costs to load it and make all its
 * clients, in seconds of a processor: what Lambda does before the first call. Needs `npm run synth` before.
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
// What only a deployment knows is not called here.
const environment = Object.fromEntries(
  Object.entries(controller.Properties.Environment.Variables).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : 'known-when-deployed',
  ]),
);
const load = `require(${JSON.stringify(bundle)}); const { user, system } = process.cpuUsage(); process.stdout.write(String((user + system) / 1e6)); process.exit(0)`;
const nothing = load.replace(/^require\(.*?\); /, '');
const env = { PATH: process.env.PATH, AWS_REGION: 'us-east-1', AWS_LAMBDA_FUNCTION_NAME: 'x', ...environment };

/** Seconds of a processor: the median of some runs, each a process of its own. */
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
    `loading it and making its clients: ${(seconds(load) - bare).toFixed(2)} s of a processor, beside ${bare.toFixed(2)} s for Node.js ${process.version} itself`,
    '',
  ].join('\n'),
);
