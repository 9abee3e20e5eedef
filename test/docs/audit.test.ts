import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FORMAT, GENESIS_HASH, readLine } from '@evergrant/formats/audit/event';
import { FINDING_MEANINGS } from '@evergrant/formats/audit/finding';

const ROOT = join(__dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const PAGE = read('docs/audit.md');
const MIGRATIONS = readdirSync(join(ROOT, 'packages/server/migrations'))
  .filter((name) => /^\d/.test(name))
  .map((name) => read(join('packages/server/migrations', name)));
const TABLES = new Set([...MIGRATIONS.join('\n').matchAll(/create table (\w+)/g)].map(([, name]) => name));

/** Names in the first column of a section's tables. */
const namedIn = (title: string): string[] => {
  const section = PAGE.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? '';
  return [...section.matchAll(/^\| (`.+?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );
};

/** Quoted event kinds in the files that write events. */
const kindsWritten = (): string[] => {
  const begin = 'pool|lease|overdraft|reservation|queue|license|control_room|control|token|epoch|audit';
  const sql = MIGRATIONS.filter((text) => text.includes('audit_write(')).join('\n');
  const names = [...sql.matchAll(new RegExp(`'((?:${begin})_[a-z_]+|denied|queued|altered)'`, 'g'))];
  return [...new Set(names.map(([, name = '']) => name))].filter((name) => !TABLES.has(name));
};

/** Event kinds of the imported history of the controller. */
const kindsBroughtIn = (): string[] =>
  [...read('packages/controller/src/core/history.ts').matchAll(/readonly kind: '([a-z-]+)'/g)].map(
    ([, name = '']) => `controller_${name.replaceAll('-', '_')}`,
  );

describe('audit page', () => {
  it('explains exactly the existing findings', () => {
    expect(namedIn('What a verification finds').sort()).toEqual(Object.keys(FINDING_MEANINGS).sort());
  });

  it('explains exactly the existing kinds of events', () => {
    const told = new Set([...namedIn('What is written'), 'altered', 'audit_gap']);
    expect([...told].sort()).toEqual([...kindsWritten(), ...kindsBroughtIn()].sort());
  });

  it('has an example with the correct hash and hashed bytes', () => {
    const line = /```json\n(.+)\n```/.exec(PAGE)?.[1] ?? '';
    const bytes = /```text\n(.+)\n```/.exec(PAGE)?.[1] ?? '';
    const verdict = readLine(line);
    if (verdict.kind !== 'event') throw new Error(verdict.reason);
    const { hash, previousHash } = verdict.event;
    expect(previousHash).toBe(GENESIS_HASH);
    expect(createHash('sha256').update(Buffer.alloc(32)).update(bytes).digest('hex')).toBe(hash);
    expect(PAGE).toContain(`\`${FORMAT}\``);
  });

  it('links every alert to the runbook', () => {
    const raised = [...read('packages/server/src/audit/checkpoint-writer.ts').matchAll(/alert: '([^']+)'/g)].map(
      ([, alert]) => alert,
    );
    expect(raised.length).toBeGreaterThan(0);
    for (const alert of raised)
      for (const page of [PAGE, read('docs/runbook.md')]) expect(page).toContain(`\`${alert}\``);
  });
});
