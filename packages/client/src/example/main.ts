/**
 * Example Control Room: `node dist/client/example.js`, with
 *
 *   EVERGRANT_ADDRESSES     server addresses, separated by commas  (default: http://127.0.0.1:8080, the local cluster)
 *   EVERGRANT_LICENSE_KEY   license key for the registration; other users could read it on the command line
 *   EVERGRANT_STATE_FILE    state file                             (default: control-room.json)
 *   EVERGRANT_NAME          display name                           (default: Control Room Kyoto)
 *
 * It prints every event until Ctrl-C, which releases all seats.
 */
import { ExampleControlRoom } from './control-room';

const { EVERGRANT_ADDRESSES, EVERGRANT_LICENSE_KEY, EVERGRANT_STATE_FILE, EVERGRANT_NAME } = process.env;
const print = (line: string): void => void process.stdout.write(`${new Date().toISOString()} ${line}\n`);

function start(licenseKey: string): void {
  const name = EVERGRANT_NAME ?? 'Control Room Kyoto';
  const room = new ExampleControlRoom({
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
      onNotice: ({ kind, ...rest }) => print(`${kind} ${JSON.stringify(rest)}`),
    },
    onEvent: ({ kind, feature, seats, ...rest }) => {
      const { leaseId, product: _product, controlRoom: _room, ...more } = rest;
      print(`${kind}: ${seats} × ${feature} (${leaseId.slice(0, 8)}) ${JSON.stringify(more)}`);
    },
  });
  room.start();
  process.once('SIGINT', () => {
    print('releasing all seats');
    void room.stop();
  });
}

if (EVERGRANT_LICENSE_KEY) {
  start(EVERGRANT_LICENSE_KEY);
} else {
  process.stderr.write('EVERGRANT_LICENSE_KEY is not set. Set it to the license key of your license.\n');
  process.exitCode = 2;
}
