/** A load that runs until the counter says that it is over. */
export interface RunningLoad {
  /** Rejects when the load cannot go on: a connection was lost, a statement failed. */
  readonly failed: Promise<never>;
  /** Waits for what is under way, so that nothing stays leased or locked, and closes the connections. */
  close(): Promise<void>;
}

/** Rejects with the first failure that it is told of; nobody need listen. */
export function failure(): { failed: Promise<never>; fail(because: Error): void } {
  let reject: (because: Error) => void = () => undefined;
  const failed = new Promise<never>((_, rejected) => {
    reject = rejected;
  });
  failed.catch(() => undefined);
  return { failed, fail: (because) => reject(because) };
}
