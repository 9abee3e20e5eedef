/** A license server: one process, one region. SIGTERM and SIGINT drain it. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EnvironmentError } from '@evergrant/core/environment/environment-error';
import { DynamoCheckpointStore } from './audit/dynamodb/checkpoint-store';
import { DynamoControllerHistory } from './audit/dynamodb/controller-history';
import { connectCheckpointStore } from './audit/sql/checkpoint-store';
import { connectControllerHistory } from './audit/sql/controller-history';
import { readServerEnvironment, type ServerEnvironment } from './config/environment';
import { createServer, type ServerAdapters } from './create-server';
import { clientSettings, connectDynamoAuthorityStore } from './epochs/dynamodb/authority-store';
import { connectAuthorityStore } from './epochs/sql/authority-store';
import { createLog } from './platform/log';
import { connectLicenseDatabase } from './platform/postgres/license-database';

type AuthorityAdapters = Pick<ServerAdapters, 'authorityStore' | 'checkpointStore' | 'controllerHistory'>;

const DRAIN_DEADLINE_MS = 9_000;

/**
 * The authority store also holds audit checkpoints and the controller's history, so they survive the loss of a region.
 */
function connectAuthority({ authority, server, skewMs }: ServerEnvironment): AuthorityAdapters {
  if (!('table' in authority)) {
    return {
      authorityStore: connectAuthorityStore(authority, server),
      checkpointStore: connectCheckpointStore(authority, server),
      controllerHistory: connectControllerHistory(authority, server),
    };
  }
  const { table, awsRegion } = authority;
  return {
    authorityStore: connectDynamoAuthorityStore({ table, awsRegion, skewMs }),
    checkpointStore: new DynamoCheckpointStore({ client: new DynamoDBClient(clientSettings(awsRegion)), table }),
    controllerHistory: new DynamoControllerHistory({ client: new DynamoDBClient(clientSettings(awsRegion)), table }),
  };
}

async function main(): Promise<void> {
  const environment = await readServerEnvironment(process.env);
  const { region, server, regionAddresses } = environment;
  const log = createLog({ server, level: environment.logLevel });
  const otherRegion = Object.keys(regionAddresses).find((name) => name !== region);
  const licenseServer = await createServer(environment, {
    database: connectLicenseDatabase(environment.database, {
      server,
      followerName: environment.followerName ?? `${otherRegion ?? 'no'}_follower`,
      onIdleError: (error) => log.debug({ failure: error.message }, 'an idle connection broke'),
    }),
    ...connectAuthority(environment),
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
