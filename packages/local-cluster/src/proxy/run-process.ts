import { EnvironmentError } from '@evergrant/core/environment/environment-error';
import pino, { type Logger } from 'pino';

export interface RunningProcess {
  /** Finishes the requests in flight, then closes. */
  close(): Promise<void>;
}

async function end(running: RunningProcess, logger: Logger, signal: string): Promise<void> {
  logger.info({ signal }, 'draining');
  await running.close();
  logger.info('ended');
  process.exit(0);
}

async function run(start: (logger: Logger) => Promise<RunningProcess>, logger: Logger): Promise<void> {
  const running = await start(logger);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      end(running, logger, signal).catch((error: Error) => {
        logger.error({ err: error }, 'the shutdown failed');
        process.exit(1);
      });
    });
  }
}

/**
 * Runs one process of the local cluster. It logs JSON lines and shuts down gracefully on SIGTERM or SIGINT. Exit code 2:
 * the environment is invalid, and the log lists every error. Exit code 1: any other failure to start.
 */
export function runProcess(name: string, start: (logger: Logger) => Promise<RunningProcess>): void {
  const logger = pino({ base: { process: name }, level: process.env.EVERGRANT_LOG_LEVEL ?? 'info' });
  run(start, logger).catch((error: Error) => {
    const errors = error instanceof EnvironmentError ? error.errors : [error.message];
    logger.fatal({ err: error, announce: `${name} cannot start: ${errors.join('; ')}`, errors });
    process.exit(error instanceof EnvironmentError ? 2 : 1);
  });
}
