import pino, { type Logger } from 'pino';
import { EnvironmentError } from './environment';

export interface Running {
  /** Ends in good order: answers what is under way, then closes. */
  close(): Promise<void>;
}

async function end(running: Running, logger: Logger, signal: string): Promise<void> {
  logger.info({ signal }, 'draining');
  await running.close();
  logger.info('ended');
  process.exit(0);
}

async function run(start: (logger: Logger) => Promise<Running>, logger: Logger): Promise<void> {
  const running = await start(logger);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      end(running, logger, signal).catch((error: Error) => {
        logger.error({ err: error }, 'could not end in good order');
        process.exit(1);
      });
    });
  }
}

/**
 * Runs one process of the world: logs JSON lines, starts, and ends in good order on SIGTERM or SIGINT. An environment
 * with mistakes ends it at once with exit code 2, every mistake told; any other failure to start with exit code 1.
 */
export function runProcess(name: string, start: (logger: Logger) => Promise<Running>): void {
  const logger = pino({ base: { process: name }, level: process.env.EVERGRANT_LOG_LEVEL ?? 'info' });
  run(start, logger).catch((error: Error) => {
    const mistakes = error instanceof EnvironmentError ? error.mistakes : [error.message];
    logger.fatal({ err: error, announce: `${name} cannot start: ${mistakes.join('; ')}`, mistakes });
    process.exit(error instanceof EnvironmentError ? 2 : 1);
  });
}
