/** The router process of a region: `GET/PUT /_router/acl`, `GET /_router/targets`; all other requests go to servers. */
import { LOOPBACK, REGIONS } from './layout';
import { PROFILES, type Profile } from './profiles';
import { EnvironmentReader } from './proxy/environment';
import { ProxyServer } from './proxy/proxy-server';
import { RegionRouter } from './proxy/region-router';
import { runProcess } from './proxy/run-process';
import { ROUTER_TIMEOUTS } from './proxy/timeouts';
import { readUpstreamTls } from './proxy/upstream-tls';

function readEnvironment() {
  const reader = new EnvironmentReader(process.env);
  return reader.complete({
    region: reader.oneOf('EVERGRANT_REGION', REGIONS),
    port: reader.port('EVERGRANT_PORT_LISTEN'),
    targets: reader.namedUrls('EVERGRANT_TARGETS'),
    aclFile: reader.text('EVERGRANT_ACL_FILE'),
    aclDefault: reader.oneOf('EVERGRANT_ACL_DEFAULT', ['serve', 'fence'], 'fence'),
    regionAddresses: reader.urlsByName('EVERGRANT_REGION_ADDRESSES', REGIONS),
    adminToken: reader.secret('EVERGRANT_SECRETS_FILE', 'adminToken'),
    tls: readUpstreamTls(reader),
    profile: reader.oneOf<Profile>('EVERGRANT_PROFILE', PROFILES, 'default'),
  });
}

runProcess('router', async (logger) => {
  const environment = readEnvironment();
  const router = new RegionRouter({ ...environment, timeouts: ROUTER_TIMEOUTS[environment.profile], logger });
  const server = new ProxyServer({
    port: environment.port,
    respond: router.respond,
    upgrade: router.upgrade,
    logger,
  });
  await server.listen();
  router.start();
  logger.info({ region: environment.region, address: `http://${LOOPBACK}:${server.port}` }, 'listening');
  return {
    close: async () => {
      await server.close();
      await router.close();
    },
  };
});
