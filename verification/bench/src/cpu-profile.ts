/**
 * Preloaded into a server that is to be profiled: writes a V8 CPU profile when the process ends. Node 20 does not take
 * `--cpu-prof` from the environment.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';

const directory = process.env.EVERGRANT_BENCH_PROFILE_TO;
if (directory) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 500 });
  session.post('Profiler.start');
  process.on('exit', () => {
    session.post('Profiler.stop', (error, stopped) => {
      if (error) return;
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, `server-${process.pid}.cpuprofile`), JSON.stringify(stopped.profile));
    });
  });
}
