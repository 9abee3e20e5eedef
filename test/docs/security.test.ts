import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = join(__dirname, '../..');
const DOCS = join(ROOT, 'docs');
const SECURITY = readFileSync(join(DOCS, 'security.md'), 'utf8');

/** The tests that a line names as its proof: title and file. */
const proofsIn = (line: string) =>
  [...line.matchAll(/\[([^\]]+)\]\((\.\.\/(?:packages|test)\/[^)]+)\)/g)].map(([, title = '', file = '']) => ({
    title,
    file,
  }));

/** The rows of all tables whose header ends with "shown by". */
const attempts = SECURITY.split('\n\n')
  .filter((block) => /^\|.*shown by \|$/m.test(block))
  .flatMap((block) => block.split('\n').slice(2))
  .filter((line) => line.startsWith('|'));

const PROOFS = proofsIn(SECURITY);

it('security page: names a test for every attempt', () => {
  expect(attempts.length).toBeGreaterThan(40);
  expect(attempts.filter((line) => proofsIn(line).length === 0)).toEqual([]);
});

it.each(PROOFS)('"$title" is in $file', ({ title, file }) => {
  const path = resolve(DOCS, file);
  expect(existsSync(path)).toBe(true);
  const names = [...readFileSync(path, 'utf8').matchAll(/(['"`])((?:(?!\1)[^\\\n]|\\.)+)\1/g)].map(
    ([, , text]) => text,
  );
  expect(names).toContain(title);
});

it('security page: documents exactly the security settings of server and router', () => {
  const sources = ['packages/server/src/config/security.ts', 'packages/local-cluster/src/proxy/upstream-tls.ts']
    .map((path) => readFileSync(join(ROOT, path), 'utf8'))
    .join('\n');
  const inCode = new Set([...sources.matchAll(/'(EVERGRANT_[A-Z_]+)'/g)].map(([, name]) => name));
  inCode.delete('EVERGRANT_HOST');
  for (const database of ['DATABASE', 'AUTHORITY']) {
    for (const what of ['CA_FILE', 'WITHOUT_TLS']) inCode.add(`EVERGRANT_${database}_${what}`);
  }
  const settings = SECURITY.split('## Settings')[1]?.split('\n## ')[0] ?? '';
  const told = new Set([...settings.matchAll(/EVERGRANT_[A-Z_]+/g)].map(([name]) => name));
  expect([...told].sort()).toEqual([...inCode].sort());
});
