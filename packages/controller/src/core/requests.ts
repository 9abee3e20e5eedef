import type { Region } from '@evergrant/core/regions';
import type { FailbackStage } from './operations';

/** A command that waits for the controller. Pausing and arming take effect immediately and need no request. */
export type Command =
  /** `to`: the region that takes over. @default the standby. `acceptLoss`: also if its database may lack commits. */
  | { readonly kind: 'failover'; readonly to?: Region; readonly acceptLoss?: boolean }
  | { readonly kind: 'switchover'; readonly to?: Region }
  | { readonly kind: 'rejoin' }
  | { readonly kind: 'failback'; readonly stage: FailbackStage }
  | { readonly kind: 'abort' };

/** Waits in the control record until a controller answers it in its next cycle. */
export interface OperatorRequest {
  readonly id: string;
  readonly command: Command;
  readonly by: string;
  readonly reason: string;
  readonly atMs: number;
}

/**
 * - `accepted`: an operation was started or abandoned.
 * - `already_done`: the requested state exists already.
 * - `refused`: nothing was changed; `reason` explains it.
 */
export interface AnsweredRequest {
  readonly request: OperatorRequest;
  readonly outcome: 'accepted' | 'already_done' | 'refused';
  readonly reason: string;
  readonly operationId: string | undefined;
  readonly atMs: number;
}
