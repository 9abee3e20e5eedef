import type { AuthorityView } from '../core/authority';
import type { Evidence, Operation } from '../core/operations';
import type { Policy } from '../core/policy';
import type { Ports } from '../ports';

/** What a classification rests on besides the view. */
export interface PhaseContext {
  readonly operation: Operation;
  readonly policy: Policy;
  /** Milliseconds since 1970, read after the view was taken. */
  readonly nowMs: number;
}

/** The result of a classification: its tag in the transition table, a sentence for people, and new evidence. */
export interface PhaseFinding<Observed extends string = string> {
  readonly observed: Observed;
  readonly reason: string;
  readonly evidence?: Partial<Evidence>;
}

/** `stay`: observe again in the next cycle. `next`: enter the operation's next phase. `abandon`: end the operation. */
export type Next = 'stay' | 'next' | 'abandon';

export interface Transition<Effect extends string = string> {
  readonly effect: Effect | 'none';
  readonly next: Next;
  readonly why: string;
}

export interface EffectContext {
  readonly ports: Ports;
  readonly operation: Operation;
  readonly authority: AuthorityView;
  readonly policy: Policy;
}

/**
 * An effect is one call to a port, without waiting and without a conclusion: the next observation finds whether it
 * worked. Every effect is bound to the operation's epoch, so a controller that was suspended during the rest of the
 * operation does no harm when it resumes.
 */
export type PhaseEffect = (context: EffectContext) => Promise<unknown>;

/**
 * One phase: what it observes, how the view is classified, the transition of each classification, and its effects.
 * A phase reaches the outside through the ports that it receives; `classify` and `transitions` are pure.
 */
export interface PhaseDefinition<View, Observed extends string, Effect extends string> {
  readonly observe: (ports: Ports, operation: Operation, authority: AuthorityView) => Promise<View>;
  readonly classify: (view: View, context: PhaseContext) => PhaseFinding<Observed>;
  /** Exactly one transition for each tag that `classify` can return. A row with an effect stays. */
  readonly transitions: { readonly [O in Observed]: Transition<Effect> };
  readonly effects: { readonly [E in Effect]: PhaseEffect };
}
