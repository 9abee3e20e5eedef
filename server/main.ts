/** A license server: one process, one region. SIGTERM and SIGINT drain it. */
import { EnvironmentError, readServerEnvironment } from './environment';
import { createLog } from './log';
import { connectAuthorityStore } from './postgres/authority-store';
import { connectCheckpointStore } from './postgres/checkpoint-store';
import { connectLicenseDatabase } from './postgres/license-database';
import { createServer } from './server';

const DRAIN_DEADLINE_MS = 9_000;

async function main(): Promise<void> {
  const environment = await readServerEnvironment(process.env);
  const { region, server, regionAddresses } = environment;
  const log = createLog({ server, level: environment.logLevel });
  const otherRegion = Object.keys(regionAddresses).find((name) => name !== region);
  const licenseServer = await createServer(environment, {
    database: connectLicenseDatabase(environment.database, {
      server,
      followerName: `${otherRegion ?? 'no'}_follower`,
      onIdleError: (error) => log.debug({ failure: error.message }, 'an idle connection broke'),
    }),
    authorityStore: connectAuthorityStore(environment.authority, server),
    checkpointStore: connectCheckpointStore(environment.authority, server),
    log,
  });

  let draining = false;
  const drain = (signal: string): void => {
    if (draining) return;
    draining = true;
    log.info({ announce: `${server} is draining`, signal });
    const deadline = setTimeout(() => {
      log.error('the drain did not end in time');
      process.exit(1);
    }, DRAIN_DEADLINE_MS);
    licenseServer.stop().then(
      () => {
        clearTimeout(deadline);
        log.info('drained');
        process.exit(0);
      },
      (error) => {
        log.error({ err: error }, 'the drain failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', drain);
  process.on('SIGINT', drain);
  await licenseServer.start();
}

main().catch((error) => {
  process.stderr.write(`${error instanceof EnvironmentError ? error.message : (error?.stack ?? error)}\n`);
  process.exit(1);
});
