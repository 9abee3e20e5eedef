import { CASES } from '../src/cases';
import { BenchUsageError, parseOptions } from '../src/options';

const names = (argv: string[]): string[] => parseOptions(argv).cases.map(({ name }) => name);

test('a run in which nothing is named measures everything but the grid of escrows', () => {
  const left = CASES.filter((each) => !parseOptions([]).cases.includes(each));
  expect(left.length).toBeGreaterThan(0);
  expect(left.every(({ cell }) => cell !== undefined)).toBe(true);
});

test('the name of the grid means all of it', () => {
  expect(names(['--only', 'escrow'])).toEqual(CASES.flatMap(({ name, cell }) => (cell ? [name] : [])));
});

test('what is measured against another case comes with it, in every form', () => {
  for (const argv of [[], ['--short'], ['--only', 'escrow-1-of-1000-at-200ms']]) {
    const { cases } = parseOptions(argv);
    const measured = new Set(cases.map(({ name }) => name));
    expect(cases.filter(({ against }) => against !== undefined && !measured.has(against))).toEqual([]);
  }
});

test('regions are lost when nothing is named or that is, and in the short form only when it is named', () => {
  const failovers = (...argv: string[]): number => parseOptions(argv).failovers;
  expect([failovers(), failovers('--short'), failovers('--only', 'pairs')]).toEqual([3, 0, 0]);
  expect(failovers('--short', '--only', 'failover', '--failovers', '1')).toBe(1);
});

test('a failover needs no site of the bench', () => {
  expect(parseOptions(['--only', 'failover'])).toMatchObject({ cases: [], idleSessions: 0, failovers: 3 });
});

test('the short form still measures all that the exit code depends on', () => {
  const { cases, seconds, rounds } = parseOptions(['--short']);
  const short = cases.map(({ name }) => name);
  expect(short).toEqual(expect.arrayContaining(['pairs-1000', 'pairs-100000', 'pairs-nearly-full', 'heartbeats-1000']));
  expect(short).toEqual(expect.arrayContaining(['heartbeats-100000', 'pairs-10000-3-servers']));
  expect({ seconds, rounds }).toEqual({ seconds: 0.7, rounds: 3 });
});

test('the baseline of what is named is measured along', () => {
  expect(names(['--only', 'pairs-1000'])).toEqual(['commit-pairs', 'pairs-1000']);
});

test('a whole name means one case, the beginning of names all of them', () => {
  expect(names(['--only', 'heartbeats-1000'])).not.toContain('heartbeats-10000');
  expect(names(['--only', 'heartbeats'])).toEqual(
    expect.arrayContaining(['heartbeats-1000', 'heartbeats-10000', 'heartbeats-100000', 'heartbeats-10000-3-servers']),
  );
});

test('an unknown case is named, and so is what there is', () => {
  expect(() => names(['--only', 'pears'])).toThrow(
    /no case "pears"; there are: commit-pairs-of-one-pool, commit-pairs,/,
  );
});

test.each([
  ['--rounds', '0'],
  ['--seconds', 'ten'],
  ['--connections', '1000'],
])('%s %s is refused with what to write instead', (flag, text) => {
  expect(() => parseOptions([flag, text])).toThrow(BenchUsageError);
  expect(() => parseOptions([flag, text])).toThrow(`${flag} is "${text}"; it must be a whole number from 1 to`);
});

test('an option that does not exist is a mistake of the command line', () => {
  expect(() => parseOptions(['--fast'])).toThrow(BenchUsageError);
});
