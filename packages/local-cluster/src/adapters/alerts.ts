import { appendFile } from 'node:fs/promises';
import type { Alert, Severity } from '@evergrant/controller/core/alerts';
import type { AlertPort } from '@evergrant/controller/ports';
import { OperatingError } from '@evergrant/core/operating-error';
import type { Logger } from 'pino';

const LOG: Readonly<Record<Severity, 'info' | 'warn' | 'error'>> = { info: 'info', warning: 'warn', critical: 'error' };

/** Sends alerts: a log line that the world shows as an event, and a line in the file of alerts. */
export class Alerts implements AlertPort {
  readonly #logger: Logger;
  readonly #file: string;

  constructor(logger: Logger, file: string) {
    this.#logger = logger;
    this.#file = file;
  }

  async send(alert: Alert): Promise<void> {
    this.#logger[LOG[alert.severity]]({ alert, announce: alert.text });
    try {
      await appendFile(this.#file, `${JSON.stringify(alert)}\n`);
    } catch (cause) {
      const message = `the alert could not be written: ${(cause as Error).message}`;
      throw new OperatingError({ code: 'alert_not_sent', message, retryable: true, cause });
    }
  }
}
