import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Sourced {
  readonly source: string;
  readonly date: string;
  readonly package?: string;
  readonly quote?: string;
}

interface Operation extends Sourced {
  readonly accepted: readonly string[];
  readonly refused: readonly (Sourced & { readonly parameter: string })[];
  readonly alsoNeeds: readonly Sourced[];
}

const ROOT = join(__dirname, '../..');
const RULES = JSON.parse(readFileSync(join(ROOT, 'test/aws/model/aws-rules.json'), 'utf8')) as {
  readonly operations: Readonly<Record<string, Operation>>;
  readonly prose: readonly (Sourced & { readonly rule: string })[];
};
const operations = Object.values(RULES.operations);
const sourced: readonly Sourced[] = [
  ...operations,
  ...operations.flatMap(({ refused, alsoNeeds }) => [...refused, ...alsoNeeds]),
  ...RULES.prose,
];
const quoted = sourced.flatMap(({ package: file, quote }) => (file && quote ? [{ file, quote }] : []));

/** The text of a declaration file's comments, without tags, asterisks and line breaks. */
function commentsOf(file: string): string {
  const text = readFileSync(join(ROOT, 'node_modules', file), 'utf8');
  return text
    .replace(/\s*\n\s*\*\s?/g, ' ')
    .replace(/<[^>]+>/g, '')
    .replace(/\s+/g, ' ');
}

describe('the table of what AWS accepts and refuses', () => {
  it('names a source and a date for every rule', () => {
    expect(sourced.filter(({ source, date }) => source === '' || !/^\d{4}-\d{2}-\d{2}$/.test(date))).toEqual([]);
  });

  it.each(quoted)('quotes what the installed SDK documents: $quote', ({ file, quote }) => {
    expect(commentsOf(file)).toContain(quote);
  });

  it.each(Object.entries(RULES.operations))('lists parameters that the SDK knows for %s', (name, operation) => {
    const models = [0, 1].map((number) =>
      join(ROOT, `node_modules/@aws-sdk/client-rds/dist-types/models/models_${number}.d.ts`),
    );
    const text = models.map((file) => readFileSync(file, 'utf8')).join('\n');
    const start = text.indexOf(`export interface ${name}Message `);
    const body = text.slice(start, text.indexOf('\n}', start));
    const known = [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, parameter]) => parameter);
    const listed = [...operation.accepted, ...operation.refused.map(({ parameter }) => parameter)];
    // The SDK makes these two of `SourceRegion`, which belongs to its middleware.
    expect(
      listed.filter((parameter) => !known.includes(parameter) && !/^(SourceRegion|PreSignedUrl)$/.test(parameter)),
    ).toEqual([]);
  });
});
