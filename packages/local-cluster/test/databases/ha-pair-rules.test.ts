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

describe('HA pair rules', () => {
  it.each<[string, Partial<HaPairFacts>, string]>([
    ['take no action on a pair in sync', {}, 'none'],
    ['take over when the primary dies and the standby has every commit', { primary: 'exited' }, 'take_over'],
    [
      'take over at once, even if the standby is not steady yet',
      { primary: 'exited', standby: 'following' },
      'take_over',
    ],
    [
      'stay down when the standby may miss commits',
      { primary: 'exited', isEligible: false, isPrimaryWanted: false },
      'none',
    ],
    ['stay down when both are dead', { primary: 'exited', standby: 'exited', isPrimaryWanted: false }, 'none'],
    [
      'wait for a standby that does not answer yet',
      { primary: 'exited', standby: 'silent', isPrimaryWanted: false },
      'none',
    ],
    ['launch the last primary when it should run', { primary: 'exited', standby: 'exited' }, 'launch_primary'],
    [
      'launch the last primary when the standby may miss commits',
      { primary: 'exited', isEligible: false },
      'launch_primary',
    ],
    ['take over from a hung primary when the standby is steady', { primary: 'hung' }, 'take_over'],
    ['take no action when both hang', { primary: 'hung', standby: 'silent' }, 'none'],
    ['take no action when the standby is not steady yet', { primary: 'hung', standby: 'following' }, 'none'],
    ['take no action before silence counts as a hang', { primary: 'silent' }, 'none'],
    ['keep a hung primary when the standby may miss commits', { primary: 'hung', isEligible: false }, 'none'],
    [
      'finish a promotion that was started',
      { primary: 'in_recovery', standby: 'exited', isEligible: false },
      'promote',
    ],
    ['release a dead standby', { standby: 'exited' }, 'release_standby'],
    ['release a standby that acknowledges nothing', { stream: 'silent' }, 'release_standby'],
    ['release a standby without a connection', { stream: 'none' }, 'release_standby'],
    ['release a standby that is not proven yet', { stream: 'none', isEligible: false }, 'release_standby'],
    [
      'do not release a standby twice',
      { standby: 'exited', stream: 'none', isEligible: false, isRequired: false },
      'none',
    ],
    ['wait until a standby has caught up', { stream: 'behind', isEligible: false, isRequired: false }, 'none'],
    [
      'require a standby that has caught up',
      { stream: 'close', isEligible: false, isRequired: false },
      'require_standby',
    ],
    [
      'do not require a dead standby, even if its connection still looks open',
      { standby: 'exited', stream: 'close', isEligible: false, isRequired: false },
      'none',
    ],
    ['do not record a standby as eligible before the proof', { stream: 'close', isEligible: false }, 'none'],
    ['record a proven standby as eligible', { isEligible: false }, 'record_eligible'],
  ])('%s', (_rule, facts, action) => {
    expect(decideHaPair({ ...CALM, ...facts }).action).toBe(action);
  });

  it('never take over with a standby that may miss commits', () => {
    expect(doing('take_over').filter(({ isEligible }) => !isEligible)).toEqual([]);
  });

  it('never take over from a primary that answers or with a standby that does not', () => {
    for (const { primary, standby } of doing('take_over')) {
      expect(['exited', 'hung']).toContain(primary);
      expect(['following', 'following_steady']).toContain(standby);
    }
  });

  it('record a standby as eligible only while commits wait for it', () => {
    expect(doing('record_eligible').filter(({ isRequired, stream }) => !isRequired || stream !== 'proven')).toEqual([]);
  });

  it('never leave commits waiting for a missing standby', () => {
    const waiting = situations.filter(
      ({ primary, standby, stream, isRequired }) =>
        primary === 'writable' && isRequired && (standby === 'exited' || stream === 'none' || stream === 'silent'),
    );
    expect(waiting.every((facts) => decideHaPair(facts).action === 'release_standby')).toBe(true);
  });

  it('never launch a primary that should not run', () => {
    expect(doing('launch_primary').filter(({ isPrimaryWanted }) => !isPrimaryWanted)).toEqual([]);
  });

  it('are all reachable and all have a reason', () => {
    const used = new Set(situations.map(decideHaPair));
    expect(HA_PAIR_RULES.filter((rule) => !used.has(rule))).toEqual([]);
    expect(HA_PAIR_RULES.filter(({ why }) => why.length < 20)).toEqual([]);
  });
});
