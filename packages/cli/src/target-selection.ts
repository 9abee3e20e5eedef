import { CommandError, EXIT } from './errors';
import type { TargetProvider } from './target';

export interface TargetChoice {
  readonly providers: readonly TargetProvider[];
  /** The value of `--target`. */
  readonly option: string | undefined;
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * Selects the target: `--target`, then `EVERGRANT_TARGET`, then the provider whose target runs from the current folder.
 *
 * @throws CommandError (`no_target`, `unknown_target`)
 */
export function selectTarget({ providers, option, environment }: TargetChoice): TargetProvider {
  const name = option ?? (environment.EVERGRANT_TARGET || undefined);
  const names = providers.map((provider) => provider.name).join(', ');
  if (name === undefined) {
    const detected = providers.find((provider) => provider.detect?.() === true);
    if (detected) return detected;
    throw new CommandError({
      exitCode: EXIT.usage,
      code: 'no_target',
      message: `No target is selected. Set --target or EVERGRANT_TARGET to one of: ${names}.`,
    });
  }
  const selected = providers.find((provider) => provider.name === name);
  if (selected) return selected;
  throw new CommandError({
    exitCode: EXIT.usage,
    code: 'unknown_target',
    message: `There is no target "${name}". Targets: ${names}.`,
  });
}
