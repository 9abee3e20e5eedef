import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chained, checkpointsOf, drafted, headOf, KEY, type MadeLog, madeLog } from '@evergrant/test-support/made-log';
import { type AuditEvent, lineOf } from '../../src/audit/event';
import type { StoredStatement } from '../../src/audit/statement-check';

/**
 * A verifier in another language, written from docs/audit.md alone. It proves that the page is complete and correct.
 */
const VERIFIER = join(__dirname, 'other-language/verify.py');
const hasPython = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 8))']).status === 0;

let folder: string;
let log: MadeLog;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evergrant-other-'));
  log = await madeLog([
    { chain: 'pool/1', epochs: [0, 1, 1, 1, 1, 1], checkpointsAfter: [2, 5] },
    { chain: 'pool/10', epochs: [1, 1, 1], checkpointsAfter: [3] },
    { chain: 'system', epochs: [0, 1], checkpointsAfter: [1, 2] },
  ]);
});

afterAll(() => rmSync(folder, { recursive: true }));

/** The output lines of the other verifier. */
function verdictOn({
  lines,
  statements,
}: {
  lines: readonly string[];
  statements: readonly StoredStatement[];
}): string[] {
  const { d: _private, ...published } = KEY;
  const files = {
    'export.jsonl': lines.map((line) => `${line}\n`).join(''),
    checkpoints: statements.map((statement) => `${JSON.stringify(statement)}\n`).join(''),
    'jwks.json': JSON.stringify({ keys: [published] }),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const { stdout, stderr, status } = spawnSync('python3', [VERIFIER, ...Object.keys(files)], {
    cwd: folder,
    encoding: 'utf8',
  });
  const said = stdout.trim().split('\n');
  expect({ stderr, status }).toEqual({ stderr: '', status: said[0] === 'intact' ? 0 : 1 });
  return said;
}

const linesOf = (events: readonly AuditEvent[]): string[] => events.map(lineOf);

(hasPython ? describe : describe.skip)('a verifier in Python', () => {
  it('finds nothing in an unchanged log', () => {
    expect(verdictOn({ lines: linesOf(log.events), statements: log.statements })).toEqual(['intact']);
  });

  it.each<[string, (lines: string[]) => string[], string]>([
    ['changed', (lines) => lines.with(2, lines[2]!.replace('room', 'roof')), 'pool/1 3 changed'],
    ['written with an extra space', (lines) => lines.with(2, lines[2]!.replace(',', ', ')), '- 3 unreadable'],
    ['missing', (lines) => lines.toSpliced(2, 1), 'pool/1 3 missing'],
    ['out of order', (lines) => lines.toSpliced(2, 2, lines[3]!, lines[2]!), 'pool/1 3 out of order'],
    ['cut off', (lines) => lines.toSpliced(4, 2), 'pool/1 5 truncated'],
  ])('finds an event that was %s', (_what, edit, expected) => {
    expect(verdictOn({ lines: edit(linesOf(log.events)), statements: log.statements })).toContain(expected);
  });

  it('finds a rewritten history with consistent hashes', () => {
    const [first, second, ...rest] = drafted({ chain: 'pool/1', epochs: [0, 1, 1, 1, 1, 1] });
    const anew = chained([first!, { ...second!, actor: 'nobody' }, ...rest]);
    const others = log.events.filter(({ chain }) => chain !== 'pool/1');
    const said = verdictOn({ lines: linesOf([...anew, ...others]), statements: log.statements });
    expect(said).toEqual(['pool/1 2 rewritten', 'pool/1 5 rewritten', 'pool/1 6 rewritten']);
  });

  it('finds a missing and a changed checkpoint', () => {
    const lines = linesOf(log.events);
    expect(verdictOn({ lines, statements: log.statements.slice(1) })).toEqual(['pool/1 2 checkpoint missing']);
    const [one, ...others] = log.statements;
    const [head, payload = '', signature] = one!.jws.split('.');
    const claims = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), seq: 1 };
    const forged = [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
    expect(verdictOn({ lines, statements: [{ ...one!, jws: forged }, ...others] })[0]).toBe(
      'pool/1 1 checkpoint forged',
    );
  });

  it('accepts only a declared loss of a region', async () => {
    const oregon = drafted({ chain: 'system', epochs: [1, 1, 1, 1] });
    const statements = await checkpointsOf(oregon, [2, 4]);
    const lost = oregon[3]!;
    const gap = { chain: 'system', epoch: 1, era: 1, lastSeq: 2, checkpointSeq: 4, checkpointHash: lost.hash };
    const body = JSON.stringify({ ...gap, checkpoint: statements[1]!.jws });
    const opened = { ...oregon[2]!, epoch: 2, era: 2, kind: 'epoch_opened' };
    const declared = chained([oregon[0]!, oregon[1]!, opened, { ...opened, seq: 4, kind: 'audit_gap', body }]);
    const silent = chained([oregon[0]!, oregon[1]!, opened]);
    const withHead = async (events: readonly AuditEvent[]) => [...statements, await headOf(events.at(-1)!)];
    expect(verdictOn({ lines: linesOf(declared), statements: await withHead(declared) })).toEqual(['intact']);
    expect(verdictOn({ lines: linesOf(silent), statements: await withHead(silent) })).toEqual([
      'system 4 of epoch 1 is gone, and nothing declares it',
    ]);
  });
});
