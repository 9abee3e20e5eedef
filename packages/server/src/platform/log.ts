import { type DestinationStream, type Logger, pino } from 'pino';

/** JSON lines. What could be used to act in someone's name is left out, wherever in a line it turns up. */
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
