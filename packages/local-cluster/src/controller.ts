/**
 * The failover controller: runs the cycle of packages/controller on a timer, with the adapters of the local cluster.
 */
import { randomUUID } from 'node:crypto';
import { runCycle } from '@evergrant/controller/cycle';
import type { ControlStore, Ports } from '@evergrant/controller/ports';
import { RouterAppProbe } from '@evergrant/controller/probes/app-probe';
import { LicenseDatabases } from '@evergrant/controller/probes/license-databases';
import type { Logger } from 'pino';
import { Alerts } from './adapters/alerts';
import { DatabaseService } from './adapters/database-service';
import { PublicAddress } from './adapters/public-address';
import { Routers } from './adapters/routers';
import { openStores, type SqlStores } from './adapters/sql-stores';
import { WitnessView } from './adapters/witness-view';
import { type ControllerEnvironment, readControllerEnvironment } from './controller/environment';
import { FailpointControlStore, parseFailpoint } from './controller/failpoint-store';
import { Reporter } from './controller/reporter';
import { Scheduler } from './controller/scheduler';
import { PROFILE_DURATIONS, type ProfileDurations } from './profiles';
import { runProcess } from './proxy/run-process';

function connect(
  environment: ControllerEnvironment,
  durations: ProfileDurations,
  { stores, logger }: { stores: SqlStores; logger: Logger },
): Ports {
  const { routers, regionAddresses, adminToken, edge, worldApi } = environment;
  const { appProbeTimeoutMs, sqlProbeTimeoutMs, callTimeoutMs: timeoutMs, witnessAgeMaxMs: ageMaxMs } = durations;
  return {
    apps: new RouterAppProbe({ routers, timeoutMs: appProbeTimeoutMs }),
    databases: new LicenseDatabases({
      addresses: environment.databases,
      login: environment.databaseLogin,
      timeoutMs: sqlProbeTimeoutMs,
    }),
    witness: new WitnessView({ url: environment.witness, timeoutMs, ageMaxMs }),
    routers: new Routers({ routers, addresses: regionAddresses, adminToken, timeoutMs }),
    edge: new PublicAddress({ edge, adminToken, timeoutMs }),
    databaseService: new DatabaseService({ worldApi, adminToken, timeoutMs }),
    authority: stores.authority,
    control: withFailpoint(environment.failpoint, stores.control, logger),
    alerts: new Alerts(logger, environment.alertsFile),
    clock: { nowMs: () => Date.now(), newId: randomUUID },
  };
}

function withFailpoint(failpoint: string | undefined, control: ControlStore, logger: Logger): ControlStore {
  if (failpoint === undefined) return control;
  return new FailpointControlStore(control, parseFailpoint(failpoint), () => {
    logger.warn({
      failpoint: failpoint,
      announce: `the controller has halted at ${failpoint} for a drill`,
    });
    // A pending timer keeps the process alive until the drill kills it.
    setInterval(() => undefined, 60_000);
  });
}

runProcess('controller', async (logger) => {
  const environment = readControllerEnvironment(process.env);
  const durations = PROFILE_DURATIONS[environment.profile];
  const stores = openStores({
    ...environment.authority,
    timeoutMs: durations.callTimeoutMs,
    applicationName: environment.name,
  });
  const ports = connect(environment, durations, { stores, logger });
  const scheduler = new Scheduler({
    cycle: () => runCycle(ports, { controller: environment.name, policy: durations.policy }),
    sampleEveryMs: durations.policy.sampleEveryMs,
    stepEveryMs: durations.stepEveryMs,
    hasPendingRequest: async () => (await ports.control.read()).record.request !== undefined,
    report: new Reporter(logger).report,
  });
  scheduler.start();
  logger.info({ profile: environment.profile }, 'watching');
  return {
    close: async () => {
      await scheduler.close();
      await stores.close();
    },
  };
});
