import {
  decidePair,
  PAIR_RULES,
  type PairFacts,
  type PrimaryFact,
  type StandbyFact,
  type StreamFact,
} from '../../src/databases/ha-pair-rules';

const PRIMARY: PrimaryFact[] = ['exited', 'silent', 'hung', 'in-recovery', 'writable'];
const STANDBY: StandbyFact[] = ['exited', 'silent', 'following', 'following-steady', 'writable'];
const STREAM: StreamFact[] = ['none', 'silent', 'behind', 'close', 'proven'];
const EITHER = [false, true];

function everySituation(): PairFacts[] {
  return PRIMARY.flatMap((primary) =>
    STANDBY.flatMap((standby) =>
      STREAM.flatMap((stream) =>
        EITHER.flatMap((isEligible) =>
          EITHER.flatMap((isRequired) =>
            EITHER.map((isPrimaryWanted) => ({ primary, standby, stream, isEligible, isRequired, isPrimaryWanted })),
          ),
        ),
      ),
    ),
  );
}

const situations = everySituation();
const doing = (action: string) => situations.filter((facts) => decidePair(facts).action === action);

const CALM: PairFacts = {
  primary: 'writable',
  standby: 'following-steady',
  stream: 'proven',
  isEligible: true,
  isRequired: true,
  isPrimaryWanted: true,
};

it.each<[string, Partial<PairFacts>, string]>([
  ['leaves a pair in sync alone', {}, 'none'],
  ['fails over when the primary dies and the standby has every commit', { primary: 'exited' }, 'take-over'],
  [
    'fails over at once, however shortly the standby has been steady',
    { primary: 'exited', standby: 'following' },
    'take-over',
  ],
  [
    'stays down when the standby may miss commits',
    { primary: 'exited', isEligible: false, isPrimaryWanted: false },
    'none',
  ],
  ['stays down when both are dead', { primary: 'exited', standby: 'exited', isPrimaryWanted: false }, 'none'],
  [
    'waits for a standby that does not answer yet',
    { primary: 'exited', standby: 'silent', isPrimaryWanted: false },
    'none',
  ],
  ['starts the last primary when it is asked for', { primary: 'exited', standby: 'exited' }, 'launch-primary'],
  [
    'starts the last primary beside a standby that may miss commits',
    { primary: 'exited', isEligible: false },
    'launch-primary',
  ],
  ['replaces a primary that hangs beside a steady standby', { primary: 'hung' }, 'take-over'],
  ['ends nothing when both hang', { primary: 'hung', standby: 'silent' }, 'none'],
  ['ends nothing when the standby has only just come back, too', { primary: 'hung', standby: 'following' }, 'none'],
  ['ends nothing before a silence counts as a hang', { primary: 'silent' }, 'none'],
  ['keeps a hanging primary when the standby may miss commits', { primary: 'hung', isEligible: false }, 'none'],
  ['finishes a promotion that was begun', { primary: 'in-recovery', standby: 'exited', isEligible: false }, 'promote'],
  ['lets a dead standby go', { standby: 'exited' }, 'release-standby'],
  ['lets a standby go that acknowledges nothing', { stream: 'silent' }, 'release-standby'],
  ['lets a standby go whose connection is gone', { stream: 'none' }, 'release-standby'],
  ['lets a standby go that was not proven yet', { stream: 'none', isEligible: false }, 'release-standby'],
  ['has nothing to let go twice', { standby: 'exited', stream: 'none', isEligible: false, isRequired: false }, 'none'],
  ['waits until a standby has caught up', { stream: 'behind', isEligible: false, isRequired: false }, 'none'],
  [
    'makes commits wait for a standby that has caught up',
    { stream: 'close', isEligible: false, isRequired: false },
    'require-standby',
  ],
  [
    'does not wait for a standby that has just died, whatever the connection still looks like',
    { standby: 'exited', stream: 'close', isEligible: false, isRequired: false },
    'none',
  ],
  ['does not trust it before the proof', { stream: 'close', isEligible: false }, 'none'],
  ['trusts it with the proof', { isEligible: false }, 'record-eligible'],
])('%s', (_rule, facts, action) => {
  expect(decidePair({ ...CALM, ...facts }).action).toBe(action);
});

it('never promotes a standby that may miss commits', () => {
  expect(doing('take-over').filter(({ isEligible }) => !isEligible)).toEqual([]);
});

it('never takes over from a primary that answers, or for a standby that does not', () => {
  for (const { primary, standby } of doing('take-over')) {
    expect(['exited', 'hung']).toContain(primary);
    expect(['following', 'following-steady']).toContain(standby);
  }
});

it('trusts a standby only while commits wait for it', () => {
  expect(doing('record-eligible').filter(({ isRequired, stream }) => !isRequired || stream !== 'proven')).toEqual([]);
});

it('never leaves commits waiting for a standby that is gone', () => {
  const waiting = situations.filter(
    ({ primary, standby, stream, isRequired }) =>
      primary === 'writable' && isRequired && (standby === 'exited' || stream === 'none' || stream === 'silent'),
  );
  expect(waiting.every((facts) => decidePair(facts).action === 'release-standby')).toBe(true);
});

it('starts nothing that nobody asked for', () => {
  expect(doing('launch-primary').filter(({ isPrimaryWanted }) => !isPrimaryWanted)).toEqual([]);
});

it('uses every rule, and gives each a reason', () => {
  const used = new Set(situations.map(decidePair));
  expect(PAIR_RULES.filter((rule) => !used.has(rule))).toEqual([]);
  expect(PAIR_RULES.filter(({ why }) => why.length < 20)).toEqual([]);
});
