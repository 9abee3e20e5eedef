/** The process of the public address: `GET/PUT /_edge/target`, `/console`; all other requests go to the target region. */
import { port, text } from '@evergrant/core/environment/variables';
import { LOOPBACK, REGIONS } from './layout';
import { PROFILE_VARIABLE } from './profiles';
import { createEnvironmentReader, originsByName, secret } from './proxy/environment';
import { ProxyServer } from './proxy/proxy-server';
import { PublicEdge } from './proxy/public-edge';
import { runProcess } from './proxy/run-process';
import { EDGE_TIMEOUTS } from './proxy/timeouts';

function readEnvironment() {
  const reader = createEnvironmentReader(process.env);
  return reader.complete({
    port: reader.read(port('EVERGRANT_PORT_LISTEN', { description: 'the port to listen on' })),
    targetFile: reader.read(
      text('EVERGRANT_TARGET_FILE', { description: 'the path of the file with the target region' }),
    ),
    routers: reader.read(originsByName('EVERGRANT_ROUTERS', REGIONS)),
    adminToken: reader.read(secret('EVERGRANT_SECRETS_FILE', 'adminToken')),
    profile: reader.read(PROFILE_VARIABLE),
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
