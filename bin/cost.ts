/**
 * npm run cost [-- FOLDER]: what the synthesized stacks cost a month, as the table of docs/cost.md. FOLDER holds the
 * templates; cdk.out by default, so `npm run synth` comes first.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { costTable } from '../lib/cost/cost-table';
import type { StackResources } from '../lib/cost/monthly-cost';

const folder = process.argv[2] ?? 'cdk.out';
const stacks = readdirSync(folder)
  .filter((name) => name.endsWith('.template.json'))
  .sort()
  .map((name) => (JSON.parse(readFileSync(join(folder, name), 'utf8')) as { Resources: StackResources }).Resources);
process.stdout.write(costTable(stacks));
