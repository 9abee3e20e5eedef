import { type DestinationStream, type Logger, pino } from 'pino';

/** Creates a log of JSON lines. Credentials are removed at every depth of a line. */
export function createLog(
  { server, level }: { server: string; level: string },
  destination?: DestinationStream,
): Logger {
  const secret = ['authorization', 'token', 'password', 'licenseKey', 'd'];
  return pino(
    {
      level,
      base: { server },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secret.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), remove: true },
    },
    destination ?? pino.destination(1),
  );
}
