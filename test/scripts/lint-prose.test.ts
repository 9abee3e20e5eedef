const { findingsOf } = require('../../scripts/lint-prose') as {
  findingsOf(file: string, source: string): { line: number; column: number; word: string; use: string }[];
};

const wordsIn = (file: string, source: string): string[] =>
  findingsOf(file, source).map(({ line, word }) => `${line} ${word}`);

describe('lint:prose', () => {
  it('finds a rejected word in a comment, a sentence and a template', () => {
    const source = "// made anew\nconst text = 'whoever calls';\nconst other = `is $" + '{text} told anew`;\n';
    expect(wordsIn('x.ts', source)).toEqual(['1 anew', '2 whoever', '3 anew']);
  });

  it('finds a phrase across two lines of a comment', () => {
    expect(wordsIn('x.ts', '/**\n * Runs by\n * itself.\n */\n')).toEqual(['2 by itself']);
  });

  it('ignores literals that are not sentences', () => {
    expect(wordsIn('x.ts', "const code = 'anew';\n")).toEqual([]);
  });

  it('finds an old name in an identifier and in a file name', () => {
    expect(wordsIn('lease-desk.ts', 'class Other {}\n')).toEqual(['1 lease-desk.ts']);
    expect(wordsIn('x.ts', 'class Courier {}\n')).toEqual(['1 Courier']);
  });

  it('ignores code in Markdown and reports its text', () => {
    expect(wordsIn('x.md', 'Made `anew`.\n```\nanew\n```\nMade anew.\n')).toEqual(['5 anew']);
  });

  it('names the replacement', () => {
    expect(findingsOf('x.md', 'Made anew.\n')[0]).toMatchObject({ column: 6, use: 'again, or a new one' });
  });
});
