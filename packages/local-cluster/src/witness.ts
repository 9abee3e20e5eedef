/** The witness process in Ohio: observes Oregon from outside both regions and serves the result at `GET /view`. */
import { httpOrigin, port } from '@evergrant/core/environment/variables';
import { LOOPBACK } from './layout';
import { PROFILE_VARIABLE } from './profiles';
import { createEnvironmentReader } from './proxy/environment';
import { ProxyServer } from './proxy/proxy-server';
import { runProcess } from './proxy/run-process';
import { WITNESS_TIMEOUTS } from './proxy/timeouts';
import { WitnessObserver } from './proxy/witness-observer';

function readEnvironment() {
  const reader = createEnvironmentReader(process.env);
  return reader.complete({
    port: reader.read(port('EVERGRANT_PORT_LISTEN', { description: 'the port to listen on' })),
    oregonUrl: reader.read(httpOrigin('EVERGRANT_OREGON', { description: "the address of Oregon's router" })),
    profile: reader.read(PROFILE_VARIABLE),
  });
}

runProcess('witness', async (logger) => {
  const { port, oregonUrl, profile } = readEnvironment();
  const observer = new WitnessObserver({
    oregonUrl,
    timeouts: WITNESS_TIMEOUTS[profile],
    onChange: ({ now, before, reason }) => {
      if (now === 'down') logger.warn({ reason, announce: `the witness sees Oregon's application down (${reason})` });
      else if (now === 'up') logger.info({ reason, announce: "the witness sees Oregon's application up" });
      else logger.info({ before, reason }, 'the state is unknown');
    },
  });
  const server = new ProxyServer({ port, respond: observer.respond, logger });
  await server.listen();
  observer.start();
  logger.info({ address: `http://${LOOPBACK}:${server.port}` }, 'listening');
  return {
    close: async () => {
      observer.stop();
      await server.close();
    },
  };
});
