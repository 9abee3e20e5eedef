/** The witness process in Ohio: observes Oregon from outside both regions and serves the result at `GET /view`. */
import { LOOPBACK } from './layout';
import { PROFILES, type Profile } from './profiles';
import { EnvironmentReader } from './proxy/environment';
import { ProxyServer } from './proxy/proxy-server';
import { runProcess } from './proxy/run-process';
import { WITNESS_TIMEOUTS } from './proxy/timeouts';
import { WitnessObserver } from './proxy/witness-observer';

function readEnvironment() {
  const reader = new EnvironmentReader(process.env);
  return reader.complete({
    port: reader.port('EVERGRANT_PORT_LISTEN'),
    oregonUrl: reader.url('EVERGRANT_OREGON'),
    profile: reader.oneOf<Profile>('EVERGRANT_PROFILE', PROFILES, 'default'),
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
