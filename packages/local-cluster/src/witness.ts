/** The witness process in Ohio: sees Oregon from outside both regions and says what it sees at `GET /view`. */
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
    onChange: (now, before, because) => {
      if (now === 'down') logger.warn({ because, announce: `the witness sees Oregon's application down (${because})` });
      else if (now === 'up') logger.info({ because, announce: "the witness sees Oregon's application up" });
      else logger.info({ before, because }, 'in doubt');
    },
  });
  const service = new ProxyServer({ port, respond: observer.respond, logger });
  await service.listen();
  observer.start();
  logger.info({ address: `http://${LOOPBACK}:${service.port}` }, 'listening');
  return {
    close: async () => {
      observer.stop();
      await service.close();
    },
  };
});
