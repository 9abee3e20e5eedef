/**
 * Loaded before a program under test. A file maps the host names of the deployment to ports of this machine. Port 0
 * accepts no connection and refuses none. An unknown name is refused, so no traffic leaves this machine.
 */
const { readFileSync } = require('node:fs');
const { Socket } = require('node:net');

const connect = Socket.prototype.connect;
const HERE = new Set([undefined, null, 'localhost', '127.0.0.1', '::1']);

/** The target of a call: unifies the three signatures of `connect`. */
function destination(args) {
  const [first, second] = args;
  if (Array.isArray(first)) return destination(first);
  if (typeof first === 'object') return first;
  const isPath = typeof first === 'string' && Number.isNaN(Number(first));
  return isPath ? { path: first } : { port: first, host: typeof second === 'string' ? second : undefined };
}

/** The same call, to a port of this machine. */
function leadHere(args, port) {
  const [first, ...rest] = args;
  if (Array.isArray(first)) {
    first[0] = { ...first[0], host: '127.0.0.1', port };
    return args;
  }
  if (typeof first === 'object') return [{ ...first, host: '127.0.0.1', port }, ...rest];
  return [port, '127.0.0.1', ...rest.slice(1)];
}

Socket.prototype.connect = function connectHere(...args) {
  const { host, port, path } = destination(args);
  if (path !== undefined && path !== null) return connect.apply(this, args);
  const ports = JSON.parse(readFileSync(process.env.EVERGRANT_TEST_HOSTS, 'utf8'));
  const known = ports[`${host}:${port}`];
  if (known === 0) return this;
  if (known !== undefined) return connect.apply(this, leadHere(args, known));
  if (HERE.has(host)) return connect.apply(this, args);
  const error = new Error(`connect ECONNREFUSED ${host}:${port}, which is not on this machine`);
  process.nextTick(() => this.destroy(Object.assign(error, { code: 'ECONNREFUSED' })));
  return this;
};
