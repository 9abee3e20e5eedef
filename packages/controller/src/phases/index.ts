import type { AuthorityView } from '../core/authority';
import type { Operation, Phase } from '../core/operations';
import type { Policy } from '../core/policy';
import type { Ports } from '../ports';
import { archiveDatabase } from './archive-database';
import { buildFollower } from './build-follower';
import { catchUp } from './catch-up';
import { complete } from './complete';
import { confirmFence } from './confirm-fence';
import { drain } from './drain';
import { fence } from './fence';
import { latch } from './latch';
import { open } from './open';
import type { EffectContext, PhaseContext, PhaseDefinition, PhaseEffect, PhaseFinding, Transition } from './phase';
import { preflight } from './preflight';
import { promote } from './promote';
import { switchAddress } from './switch';
import { verify } from './verify';

/** One row of the transition table. */
export interface TransitionRow extends Transition {
  readonly phase: Phase;
  readonly observed: string;
}

/** A phase without the type of its view, which only `observe` and `classify` of the same phase share. */
interface AnyPhase {
  readonly find: (observation: PhaseObservation) => Promise<PhaseFinding>;
  readonly classify: (view: never, context: PhaseContext) => PhaseFinding;
  readonly transitions: Readonly<Record<string, Transition>>;
  readonly effects: Readonly<Record<string, PhaseEffect>>;
}

export interface PhaseObservation {
  readonly ports: Ports;
  readonly operation: Operation;
  readonly authority: AuthorityView;
  readonly policy: Policy;
}

/** The phases with the types of their views. */
export const DEFINITIONS = {
  latch,
  fence,
  drain,
  promote,
  verify,
  open,
  switch: switchAddress,
  complete,
  confirm_fence: confirmFence,
  archive_database: archiveDatabase,
  build_follower: buildFollower,
  catch_up: catchUp,
  preflight,
};

export const PHASES: Readonly<Record<Phase, AnyPhase>> = {
  latch: phase(latch),
  fence: phase(fence),
  drain: phase(drain),
  promote: phase(promote),
  verify: phase(verify),
  open: phase(open),
  switch: phase(switchAddress),
  complete: phase(complete),
  confirm_fence: phase(confirmFence),
  archive_database: phase(archiveDatabase),
  build_follower: phase(buildFollower),
  catch_up: phase(catchUp),
  preflight: phase(preflight),
};

/**
 * The complete transition table. A row with an effect stays in its phase: the next observation finds the result, so an
 * effect whose result was not recorded is not repeated wrongly. No row leads back.
 */
export const TRANSITIONS: readonly TransitionRow[] = (Object.keys(PHASES) as Phase[]).flatMap((name) =>
  Object.entries(PHASES[name].transitions).map(([observed, transition]) => ({ phase: name, observed, ...transition })),
);

/** The row of a finding. Throws if there is none: a broken invariant has no effect. */
export function transitionFor(name: Phase, observed: string): TransitionRow {
  const found = TRANSITIONS.find((row) => row.phase === name && row.observed === observed);
  if (found === undefined) throw new Error(`no transition for ${name} when it observes ${observed}`);
  return found;
}

/** Observes the operation's present phase and classifies the view. */
export function observePhase(observation: PhaseObservation): Promise<PhaseFinding> {
  return PHASES[observation.operation.phase].find(observation);
}

/** Executes an effect of the operation's present phase. Throws the port's error. */
export async function executeEffect(effect: string, context: EffectContext): Promise<void> {
  const { phase: name } = context.operation;
  const execute = PHASES[name].effects[effect];
  if (execute === undefined) throw new Error(`${name} has no effect ${effect}`);
  await execute(context);
}

function phase<View, Observed extends string, Effect extends string>(
  definition: PhaseDefinition<View, Observed, Effect>,
): AnyPhase {
  return {
    ...definition,
    find: async ({ ports, operation, authority, policy }) => {
      const view = await definition.observe(ports, operation, authority);
      return definition.classify(view, { operation, policy, nowMs: ports.clock.nowMs() });
    },
  };
}
