import fc from 'fast-check';
import {
  TRIAD_POLICY as POLICY,
  type TriadClaim,
  type TriadFacts,
  type TriadVerdict,
  triadStep,
  triadVerdict,
} from '../../src/redundancy/core/triad';

/**
 * Three servers and one more process that was started under a name twice, over one row of control, in any history of
 * beats, stops, deaths and pauses. The twin beside them knows nothing of leases and terms: it writes down who was given
 * control last and who has been heard of when, and looks whether the server that may grant is that one.
 */
const NAMES = ['a', 'b', 'c'] as const;
/** Process 3 carries the name of process 0. */
const PROCESSES = [...NAMES, 'a'] as const;

type Event =
  | { readonly kind: 'pass'; readonly ms: number }
  /** Says that it is there and does what the rule says about control. */
  | { readonly kind: 'beat'; readonly process: number }
  /** Decides on facts, is stopped, and only then writes. */
  | { readonly kind: 'decide' | 'write'; readonly process: number }
  | { readonly kind: 'start_again'; readonly process: number };

const process = fc.nat({ max: PROCESSES.length - 1 });
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 2_500 }) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('beat' as const), process }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('decide' as const, 'write' as const), process }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('start_again' as const), process }) },
);

type Rule = (facts: TriadFacts, claim: TriadClaim) => TriadVerdict;
const THE_RULE: Rule = (facts, claim) => triadVerdict(facts, claim, POLICY);

class History {
  nowMs = 0;
  private control = { term: 0, server: undefined as string | undefined, renewedAtMs: 0 };
  private readonly seenAtMs = new Map<string, number>();
  private readonly terms: (number | undefined)[] = PROCESSES.map(() => undefined);
  private readonly decided: (number | undefined)[] = PROCESSES.map(() => undefined);
  /** The twin's book: which process was given control last. */
  holder: number | undefined;

  facts(): TriadFacts {
    return {
      servers: NAMES,
      control: { ...this.control, renewedAgoMs: this.nowMs - this.control.renewedAtMs },
      addresses: new Map(),
      seenAgoMs: new Map([...this.seenAtMs].map(([name, atMs]) => [name, this.nowMs - atMs])),
    };
  }

  apply(happened: Event): void {
    switch (happened.kind) {
      case 'pass':
        this.nowMs += happened.ms;
        return;
      case 'start_again':
        this.terms[happened.process] = undefined;
        this.decided[happened.process] = undefined;
        return;
      case 'decide':
        this.decide(happened.process);
        return;
      case 'write':
        this.write(happened.process);
        return;
      case 'beat':
        this.seenAtMs.set(PROCESSES[happened.process]!, this.nowMs);
        this.decide(happened.process);
        this.write(happened.process);
    }
  }

  claim(index: number): TriadClaim {
    return { server: PROCESSES[index]!, term: this.terms[index] };
  }

  /** By the model: any server that was seen within the time. */
  heardOf(): number {
    return [...this.seenAtMs.values()].filter((atMs) => this.nowMs - atMs < POLICY.presenceMs).length;
  }

  private decide(index: number): void {
    const step = triadStep(this.facts(), this.claim(index), POLICY);
    this.decided[index] = step.kind === 'acquire' ? step.fromTerm : undefined;
    if (step.kind === 'renew') this.control = { ...this.control, renewedAtMs: this.nowMs };
  }

  /** Compare and set: the row has the last word, and it is asked again. */
  private write(index: number): void {
    const fromTerm = this.decided[index];
    this.decided[index] = undefined;
    const step = triadStep(this.facts(), this.claim(index), POLICY);
    if (fromTerm === undefined || step.kind !== 'acquire' || step.fromTerm !== fromTerm) return;
    this.control = { term: fromTerm + 1, server: PROCESSES[index]!, renewedAtMs: this.nowMs };
    this.terms[index] = this.control.term;
    this.holder = index;
  }
}

const histories = fc.array(event, { maxLength: 120 });

function isSafe(rule: Rule) {
  return fc.property(histories, (events) => {
    const history = new History();
    for (const happened of events) {
      history.apply(happened);
      const granting = PROCESSES.map((_name, index) => index).filter(
        (index) => rule(history.facts(), history.claim(index)).kind === 'in_control',
      );
      expect(granting.length).toBeLessThanOrEqual(1);
      if (granting.length === 0) continue;
      expect(granting[0]).toBe(history.holder);
      expect(history.heardOf()).toBeGreaterThanOrEqual(2);
    }
  });
}

it('triadVerdict: in every history at most one process grants', () => {
  fc.assert(isSafe(THE_RULE), { numRuns: 2_000 });
});

describe('triadVerdict: the property fails without', () => {
  it.each<[string, Rule]>([
    ['the term', (facts, claim) => THE_RULE(facts, { ...claim, term: facts.control.term })],
    ['the quorum', (facts, claim) => THE_RULE({ ...facts, seenAgoMs: new Map(NAMES.map((name) => [name, 0])) }, claim)],
  ])('%s', (_what, rule) => {
    expect(fc.check(isSafe(rule), { numRuns: 2_000 }).failed).toBe(true);
  });
});

it('triadStep: two present servers elect one of them within seconds', () => {
  fc.assert(
    fc.property(histories, fc.constantFrom([0, 1], [1, 2], [0, 2], [0, 1, 2]), (events, alive) => {
      const history = new History();
      for (const happened of events) history.apply(happened);
      const rounds = (seconds: number): number[] =>
        Array.from({ length: seconds }, () => {
          for (const index of alive) history.apply({ kind: 'beat', process: index });
          history.apply({ kind: 'pass', ms: 1_000 });
          const inControl = alive.filter(
            (index) => THE_RULE(history.facts(), history.claim(index)).kind === 'in_control',
          );
          return inControl[0] ?? -1;
        });
      rounds(8);
      const afterwards = new Set(rounds(5));
      expect([...afterwards]).toHaveLength(1);
      expect(afterwards.has(-1)).toBe(false);
    }),
  );
});
