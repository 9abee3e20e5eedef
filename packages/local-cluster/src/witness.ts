/** The witness process in Ohio: observes each region from outside both and serves the result at `GET /view/REGION`. */
import { port } from '@evergrant/core/environment/variables';
import { REGIONS, type Region } from '@evergrant/core/regions';
import { LOOPBACK } from './layout';
import { PROFILE_VARIABLE } from './profiles';
import { createEnvironmentReader, originsByName } from './proxy/environment';
import { ProxyServer } from './proxy/proxy-server';
import { runProcess } from './proxy/run-process';
import { WITNESS_TIMEOUTS } from './proxy/timeouts';
import { WitnessObserver, witnessResponder } from './proxy/witness-observer';

function readEnvironment() {
  const reader = createEnvironmentReader(process.env);
  return reader.complete({
    port: reader.read(port('EVERGRANT_PORT_LISTEN', { description: 'the port to listen on' })),
    routers: reader.read(originsByName('EVERGRANT_ROUTERS', REGIONS)),
    profile: reader.read(PROFILE_VARIABLE),
  });
}

runProcess('witness', async (logger) => {
  const { port, routers, profile } = readEnvironment();
  const observe = (region: Region): WitnessObserver =>
    new WitnessObserver({
      routerUrl: routers[region],
      timeouts: WITNESS_TIMEOUTS[profile],
      onChange: ({ now, before, reason }) => {
        const announce = `the witness sees ${region}'s application ${now}`;
        if (now === 'down') logger.warn({ region, reason, announce: `${announce} (${reason})` });
        else if (now === 'up') logger.info({ region, reason, announce });
        else logger.info({ region, before, reason }, 'the state is unknown');
      },
    });
  const observers = { oregon: observe('oregon'), virginia: observe('virginia') };
  const server = new ProxyServer({ port, respond: witnessResponder(observers), logger });
  await server.listen();
  for (const region of REGIONS) observers[region].start();
  logger.info({ address: `http://${LOOPBACK}:${server.port}` }, 'listening');
  return {
    close: async () => {
      for (const region of REGIONS) observers[region].stop();
      await server.close();
    },
  };
});
