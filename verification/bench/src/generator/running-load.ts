/** A load that runs until the counter has ended. */
export interface RunningLoad {
  /** Rejects when a connection was lost or a statement failed. */
  readonly failed: Promise<never>;
  /** Waits for requests in flight, so that no lease or lock remains, and closes the connections. */
  close(): Promise<void>;
}

/** A promise that rejects with the first failure, and may be left unhandled. */
export function failure(): { failed: Promise<never>; fail(because: Error): void } {
  let reject: (because: Error) => void = () => undefined;
  const failed = new Promise<never>((_, rejected) => {
    reject = rejected;
  });
  failed.catch(() => undefined);
  return { failed, fail: (because) => reject(because) };
}
