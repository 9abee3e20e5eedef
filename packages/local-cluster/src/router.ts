/** The router process of a region: `GET/PUT /_router/acl`, `GET /_router/targets`; all other requests go to servers. */
import { oneOf, port, text } from '@evergrant/core/environment/variables';
import { LOOPBACK, REGIONS } from './layout';
import { PROFILE_VARIABLE } from './profiles';
import { createEnvironmentReader, namedUrls, originsByName, secret } from './proxy/environment';
import { ProxyServer } from './proxy/proxy-server';
import { RegionRouter } from './proxy/region-router';
import { runProcess } from './proxy/run-process';
import { ROUTER_TIMEOUTS } from './proxy/timeouts';
import { readUpstreamTls } from './proxy/upstream-tls';

function readEnvironment() {
  const reader = createEnvironmentReader(process.env);
  return reader.complete({
    region: reader.read(
      oneOf('EVERGRANT_REGION', { values: ['oregon', 'virginia'], description: 'the region of this router' }),
    ),
    port: reader.read(port('EVERGRANT_PORT_LISTEN', { description: 'the port to listen on' })),
    targets: reader.read(namedUrls('EVERGRANT_TARGETS')),
    aclFile: reader.read(text('EVERGRANT_ACL_FILE', { description: 'the path of the file with the web ACL' })),
    aclDefault: reader.read(
      oneOf('EVERGRANT_ACL_DEFAULT', { values: ['serve', 'fence'], default: 'fence', description: 'the first ACL' }),
    ),
    regionAddresses: reader.read(originsByName('EVERGRANT_REGION_ADDRESSES', REGIONS)),
    adminToken: reader.read(secret('EVERGRANT_SECRETS_FILE', 'adminToken')),
    tls: readUpstreamTls(reader),
    profile: reader.read(PROFILE_VARIABLE),
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
