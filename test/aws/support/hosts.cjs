/**
 * Loaded before a program under test: names of the deployment lead to this machine, as a file says at the moment.
 * A port of 0 swallows everything: nobody answers, and nobody refuses.
 */
const { readFileSync } = require('node:fs');
const { Socket } = require('node:net');

const connect = Socket.prototype.connect;

function portOf(host, port) {
  const ports = JSON.parse(readFileSync(process.env.EVERGRANT_TEST_HOSTS, 'utf8'));
  return ports[`${host}:${port}`];
}

Socket.prototype.connect = function connectHere(...args) {
  const [first] = args;
  if (typeof first === 'number' || typeof first === 'string') {
    const port = portOf(args[1], first);
    if (port === 0) return this;
    return connect.apply(this, port === undefined ? args : [port, '127.0.0.1', ...args.slice(2)]);
  }
  const options = Array.isArray(first) ? first[0] : first;
  const port = portOf(options.host, options.port);
  if (port === 0) return this;
  if (port === undefined) return connect.apply(this, args);
  const here = { ...options, host: '127.0.0.1', port };
  if (Array.isArray(first)) first[0] = here;
  return connect.apply(this, Array.isArray(first) ? args : [here, ...args.slice(1)]);
};
