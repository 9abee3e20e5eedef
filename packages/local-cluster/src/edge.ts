/** The process of the public address: `GET/PUT /_edge/target`, `/console`; all other requests go to the target region. */
import { LOOPBACK, REGIONS } from './layout';
import { PROFILES, type Profile } from './profiles';
import { EnvironmentReader } from './proxy/environment';
import { ProxyServer } from './proxy/proxy-server';
import { PublicEdge } from './proxy/public-edge';
import { runProcess } from './proxy/run-process';
import { EDGE_TIMEOUTS } from './proxy/timeouts';

function readEnvironment() {
  const reader = new EnvironmentReader(process.env);
  return reader.complete({
    port: reader.port('EVERGRANT_PORT_LISTEN'),
    targetFile: reader.text('EVERGRANT_TARGET_FILE'),
    routers: reader.urlsByName('EVERGRANT_ROUTERS', REGIONS),
    adminToken: reader.secret('EVERGRANT_SECRETS_FILE', 'adminToken'),
    profile: reader.oneOf<Profile>('EVERGRANT_PROFILE', PROFILES, 'default'),
  });
}

runProcess('edge', async (logger) => {
  const environment = readEnvironment();
  const edge = new PublicEdge({ ...environment, timeouts: EDGE_TIMEOUTS[environment.profile], logger });
  const server = new ProxyServer({
    port: environment.port,
    respond: edge.respond,
    upgrade: edge.upgrade,
    logger,
  });
  await server.listen();
  logger.info({ target: edge.target, address: `http://${LOOPBACK}:${server.port}` }, 'listening');
  return {
    close: async () => {
      await server.close();
      await edge.close();
    },
  };
});
