import type { FailbackStage } from './operations';

/** What an operator can ask of the controller; pausing and arming take effect by themselves and need no request. */
export type Command =
  | { readonly kind: 'failover' }
  | { readonly kind: 'failback'; readonly stage: FailbackStage }
  | { readonly kind: 'abort' };

/** Waits in the control record until a controller's next cycle answers it. */
export interface OperatorRequest {
  readonly id: string;
  readonly command: Command;
  readonly by: string;
  readonly reason: string;
  readonly atMs: number;
}

/** `accepted`: an operation was started (or abandoned). `already-done`: the world is as asked. `refused`: and why. */
export interface AnsweredRequest {
  readonly request: OperatorRequest;
  readonly outcome: 'accepted' | 'already_done' | 'refused';
  readonly reason: string;
  readonly operationId: string | null;
  readonly atMs: number;
}
