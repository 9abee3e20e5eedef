import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lineOf } from '@evergrant/formats/audit/event';
import { chained, checkpointsOf, drafted, KEY } from '@evergrant/test-support/made-log';
import { yearsOf } from '../src/audit/verify';

const ROOT = join(__dirname, '../../..');
const EVENTS = 100_000;
const HEAP_MIB = 24;

it('audit verify: verifies a log that is larger than the heap', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'evergrant-long-'));
  try {
    const chain = chained(drafted({ chain: 'pool/1', epochs: Array.from({ length: EVENTS }, () => 1) }));
    const file = openSync(join(folder, 'log.jsonl'), 'w');
    for (let from = 0; from < EVENTS; from += 1_000) {
      writeSync(
        file,
        chain
          .slice(from, from + 1_000)
          .map((event) => `${lineOf(event)}\n`)
          .join(''),
      );
    }
    closeSync(file);
    expect(statSync(join(folder, 'log.jsonl')).size).toBeGreaterThan(HEAP_MIB * 2 ** 20);
    const checkpoints = await checkpointsOf(chain, [EVENTS / 2, EVENTS]);
    writeFileSync(join(folder, 'checkpoints'), checkpoints.map((one) => `${JSON.stringify(one)}\n`).join(''));
    const { d: _private, ...published } = KEY;
    writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [published] }));
    const flags = ['--file', 'log.jsonl', '--checkpoints', 'checkpoints', '--jwks', 'jwks.json'];
    const argv = [`--max-old-space-size=${HEAP_MIB}`, join(ROOT, 'packages/cli/bin.js'), 'audit', 'verify', ...flags];
    const env = { ...process.env, NO_COLOR: '1' };
    const said = execFileSync(process.execPath, argv, { cwd: folder, encoding: 'utf8', stdio: 'pipe', env });
    expect(said).toMatch(/^No changes found: 100000 events/m);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);

describe('usage reports of a verification', () => {
  it('are requested in parts that cover each day once', () => {
    expect(yearsOf({ first: '2026-11-22', last: '2026-11-22' })).toEqual([{ first: '2026-11-22', last: '2026-11-22' }]);
    expect(yearsOf({ first: '2023-01-01', last: '2025-01-01' })).toEqual([
      { first: '2023-01-01', last: '2023-12-31' },
      { first: '2024-01-01', last: '2024-12-30' },
      { first: '2024-12-31', last: '2025-01-01' },
    ]);
  });

  it('cover twenty years', () => {
    expect(yearsOf({ first: '2026-11-22', last: '2046-11-22' })).toHaveLength(21);
  });
});
