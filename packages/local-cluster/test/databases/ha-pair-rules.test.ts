import {
  decideHaPair,
  HA_PAIR_RULES,
  type HaPairFacts,
  type PrimaryFact,
  type StandbyFact,
  type StreamFact,
} from '../../src/databases/ha-pair-rules';

const PRIMARY: PrimaryFact[] = ['exited', 'silent', 'hung', 'in_recovery', 'writable'];
const STANDBY: StandbyFact[] = ['exited', 'silent', 'following', 'following_steady', 'writable'];
const STREAM: StreamFact[] = ['none', 'silent', 'behind', 'close', 'proven'];
const EITHER = [false, true];

function everySituation(): HaPairFacts[] {
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
const doing = (action: string) => situations.filter((facts) => decideHaPair(facts).action === action);

const CALM: HaPairFacts = {
  primary: 'writable',
  standby: 'following_steady',
  stream: 'proven',
  isEligible: true,
  isRequired: true,
  isPrimaryWanted: true,
};

it.each<[string, Partial<HaPairFacts>, string]>([
  ['leaves a pair in sync alone', {}, 'none'],
  ['fails over when the primary dies and the standby has every commit', { primary: 'exited' }, 'take_over'],
  [
    'fails over at once, however shortly the standby has been steady',
    { primary: 'exited', standby: 'following' },
    'take_over',
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
  ['starts the last primary when it is asked for', { primary: 'exited', standby: 'exited' }, 'launch_primary'],
  [
    'starts the last primary beside a standby that may miss commits',
    { primary: 'exited', isEligible: false },
    'launch_primary',
  ],
  ['replaces a primary that hangs beside a steady standby', { primary: 'hung' }, 'take_over'],
  ['ends nothing when both hang', { primary: 'hung', standby: 'silent' }, 'none'],
  ['ends nothing when the standby has only just come back, too', { primary: 'hung', standby: 'following' }, 'none'],
  ['ends nothing before a silence counts as a hang', { primary: 'silent' }, 'none'],
  ['keeps a hanging primary when the standby may miss commits', { primary: 'hung', isEligible: false }, 'none'],
  ['finishes a promotion that was begun', { primary: 'in_recovery', standby: 'exited', isEligible: false }, 'promote'],
  ['lets a dead standby go', { standby: 'exited' }, 'release_standby'],
  ['lets a standby go that acknowledges nothing', { stream: 'silent' }, 'release_standby'],
  ['lets a standby go whose connection is gone', { stream: 'none' }, 'release_standby'],
  ['lets a standby go that was not proven yet', { stream: 'none', isEligible: false }, 'release_standby'],
  ['has nothing to let go twice', { standby: 'exited', stream: 'none', isEligible: false, isRequired: false }, 'none'],
  ['waits until a standby has caught up', { stream: 'behind', isEligible: false, isRequired: false }, 'none'],
  [
    'makes commits wait for a standby that has caught up',
    { stream: 'close', isEligible: false, isRequired: false },
    'require_standby',
  ],
  [
    'does not wait for a standby that has just died, whatever the connection still looks like',
    { standby: 'exited', stream: 'close', isEligible: false, isRequired: false },
    'none',
  ],
  ['does not trust it before the proof', { stream: 'close', isEligible: false }, 'none'],
  ['trusts it with the proof', { isEligible: false }, 'record_eligible'],
])('%s', (_rule, facts, action) => {
  expect(decideHaPair({ ...CALM, ...facts }).action).toBe(action);
});

it('never promotes a standby that may miss commits', () => {
  expect(doing('take_over').filter(({ isEligible }) => !isEligible)).toEqual([]);
});

it('never takes over from a primary that answers, or for a standby that does not', () => {
  for (const { primary, standby } of doing('take_over')) {
    expect(['exited', 'hung']).toContain(primary);
    expect(['following', 'following_steady']).toContain(standby);
  }
});

it('trusts a standby only while commits wait for it', () => {
  expect(doing('record_eligible').filter(({ isRequired, stream }) => !isRequired || stream !== 'proven')).toEqual([]);
});

it('never leaves commits waiting for a standby that is gone', () => {
  const waiting = situations.filter(
    ({ primary, standby, stream, isRequired }) =>
      primary === 'writable' && isRequired && (standby === 'exited' || stream === 'none' || stream === 'silent'),
  );
  expect(waiting.every((facts) => decideHaPair(facts).action === 'release_standby')).toBe(true);
});

it('starts nothing that nobody asked for', () => {
  expect(doing('launch_primary').filter(({ isPrimaryWanted }) => !isPrimaryWanted)).toEqual([]);
});

it('uses every rule, and gives each a reason', () => {
  const used = new Set(situations.map(decideHaPair));
  expect(HA_PAIR_RULES.filter((rule) => !used.has(rule))).toEqual([]);
  expect(HA_PAIR_RULES.filter(({ why }) => why.length < 20)).toEqual([]);
});
