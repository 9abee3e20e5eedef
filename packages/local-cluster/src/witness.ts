/** The witness process in Ohio: sees Oregon from outside both regions and says what it sees at `GET /view`. */
import { LOOPBACK } from './layout';
import { PROFILES, type Profile } from './profiles';
import { EnvironmentReader } from './proxy/environment';
import { Observer } from './proxy/observer';
import { HttpService } from './proxy/proxy-server';
import { runEntry } from './proxy/run-process';
import { WITNESS_DURATIONS } from './proxy/timeouts';

function readEnvironment() {
  const reader = new EnvironmentReader(process.env);
  return reader.complete({
    port: reader.port('EVERGRANT_PORT_LISTEN'),
    oregonUrl: reader.url('EVERGRANT_OREGON'),
    profile: reader.oneOf<Profile>('EVERGRANT_PROFILE', PROFILES, 'default'),
  });
}

runEntry('witness', async (logger) => {
  const { port, oregonUrl, profile } = readEnvironment();
  const observer = new Observer({
    oregonUrl,
    durations: WITNESS_DURATIONS[profile],
    onChange: (now, before, because) => {
      if (now === 'down') logger.warn({ because, announce: `the witness sees Oregon's application down (${because})` });
      else if (now === 'up') logger.info({ because, announce: "the witness sees Oregon's application up" });
      else logger.info({ before, because }, 'in doubt');
    },
  });
  const service = new HttpService({ port, respond: observer.respond, logger });
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
