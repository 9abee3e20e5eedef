import type { Ports } from '@evergrant/controller/ports';
import type { Command } from 'commander';
import type { Output } from './output';

/** The controller's ports that an operator command uses, on any target. */
export interface OperatorTarget {
  readonly ports: Pick<Ports, 'control' | 'authority' | 'clock'>;
  close(): Promise<void>;
}

/** Connects to the stores of the selected target. */
export type OpenTarget = () => Promise<OperatorTarget>;

/** Address and API token of a license server. */
export interface ServerAccess {
  readonly url: string;
  readonly token: string;
}

/** One deployment that operator commands act on. */
export interface Target {
  /** @throws CommandError (`unreachable`) when the target does not run. */
  openController(): Promise<OperatorTarget>;
  showStatus(output: Output): Promise<void>;
  /** Default license server and token. @default none: the command needs `--server` and `--token-file` */
  serverAccess?(): ServerAccess;
}

export interface TargetSettings {
  /** The deployment's name in deployment.config.ts. */
  readonly deployment: string;
}

/** A kind of target, selected with `--target NAME`. */
export interface TargetProvider {
  readonly name: string;
  /** One phrase for `--help`. */
  readonly description: string;
  /** True when the current folder belongs to a running target of this kind. @default never */
  detect?(): boolean;
  open(settings: TargetSettings): Target;
}

/** What another package adds to the command: a target, commands, or both. */
export interface CommandContribution {
  readonly target?: TargetProvider;
  addCommands?(program: Command): void;
}
