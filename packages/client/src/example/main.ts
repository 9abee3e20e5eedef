/**
 * A Control Room that can be started on its own: `node dist/client/example.js`, with
 *
 *   EVERGRANT_ADDRESSES     where to ask, separated by commas     (default: http://127.0.0.1:8080, a world on this machine)
 *   EVERGRANT_LICENSE_KEY   the license key to register with; not on the command line, where others could read it
 *   EVERGRANT_STATE_FILE    what it keeps across restarts          (default: control-room.json)
 *   EVERGRANT_NAME          what it is called                      (default: Control Room Kyoto)
 *
 * It tells everything that happens until Ctrl-C, which gives all seats back.
 */
import { ControlRoom } from './control-room';

const { EVERGRANT_ADDRESSES, EVERGRANT_LICENSE_KEY, EVERGRANT_STATE_FILE, EVERGRANT_NAME } = process.env;
const say = (line: string): void => void process.stdout.write(`${new Date().toISOString()} ${line}\n`);

function start(licenseKey: string): void {
  const name = EVERGRANT_NAME ?? 'Control Room Kyoto';
  const room = new ControlRoom({
    name,
    product: 'automation',
    logins: [
      { feature: 'bot-creator', seats: 1 },
      { feature: 'attended-runner', seats: 2 },
    ],
    usersMax: 3,
    client: {
      addresses: (EVERGRANT_ADDRESSES ?? 'http://127.0.0.1:8080').split(','),
      controlRoom: { name, licenseKey },
      stateFile: EVERGRANT_STATE_FILE ?? 'control-room.json',
      onNotice: ({ kind, ...rest }) => say(`${kind} ${JSON.stringify(rest)}`),
    },
    onEvent: ({ kind, feature, seats, ...rest }) => {
      const { leaseId, product: _product, controlRoom: _room, ...more } = rest;
      say(`${kind}: ${seats} × ${feature} (${leaseId.slice(0, 8)}) ${JSON.stringify(more)}`);
    },
  });
  room.start();
  process.once('SIGINT', () => {
    say('giving everything back');
    void room.stop();
  });
}

if (EVERGRANT_LICENSE_KEY) {
  start(EVERGRANT_LICENSE_KEY);
} else {
  process.stderr.write('EVERGRANT_LICENSE_KEY is missing: the license key that the vendor gave with the license.\n');
  process.exitCode = 2;
}
