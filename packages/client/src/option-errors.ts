import type { LicenseClientOptions } from './options';
import type { ControlRoomDefinition } from './registration/registration';
import type { ClientClock } from './time/clock';

interface OptionRule {
  /** Completes the sentence "NAME must be …". */
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

const isText = (value: unknown): boolean => typeof value === 'string' && value.trim() !== '';
const isAddress = (value: unknown): boolean =>
  typeof value === 'string' && URL.canParse(value) && ['http:', 'https:'].includes(new URL(value).protocol);

const TEXT: OptionRule = { expected: 'a string that is not empty', accepts: isText };
const MILLISECONDS: OptionRule = {
  expected: 'a number of milliseconds, 0 or more',
  accepts: (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0,
};
const BOOLEAN: OptionRule = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };
const FUNCTION: OptionRule = { expected: 'a function', accepts: (value) => typeof value === 'function' };
const ADDRESSES: OptionRule = {
  expected: 'an array of http:// or https:// URLs',
  accepts: (value) => Array.isArray(value) && value.every(isAddress),
};

const CLOCK: Readonly<Record<keyof ClientClock, true>> = { nowMs: true, wallMs: true, after: true };

/** Every option has a rule: a new option does not compile without one. */
const OPTION_RULES: Readonly<Record<keyof LicenseClientOptions, OptionRule>> = {
  addresses: { ...ADDRESSES, accepts: (value) => ADDRESSES.accepts(value) && (value as unknown[]).length > 0 },
  trustedAddresses: ADDRESSES,
  token: TEXT,
  controlRoom: { expected: 'an object with name and licenseKey', accepts: isObject },
  holder: TEXT,
  identity: TEXT,
  stateFile: TEXT,
  shareStateFile: BOOLEAN,
  keys: {
    expected: 'a JSON Web Key Set: an object with an array of keys',
    accepts: (value) => isObject(value) && Array.isArray(value.keys) && value.keys.every(isObject),
  },
  sessions: BOOLEAN,
  keepUnclaimedMs: MILLISECONDS,
  requestTimeoutMs: MILLISECONDS,
  statusTimeoutMs: MILLISECONDS,
  checkoutDeadlineMs: MILLISECONDS,
  releaseDeadlineMs: MILLISECONDS,
  backoffBaseMs: MILLISECONDS,
  backoffCapMs: MILLISECONDS,
  random: FUNCTION,
  newLeaseId: FUNCTION,
  clock: {
    expected: `an object with the functions ${Object.keys(CLOCK).join(', ')}`,
    accepts: (value) => isObject(value) && Object.keys(CLOCK).every((name) => typeof value[name] === 'function'),
  },
  fetch: FUNCTION,
  onEvent: FUNCTION,
  onNotice: FUNCTION,
  onResponse: FUNCTION,
};

const CONTROL_ROOM_RULES: Readonly<Record<keyof ControlRoomDefinition, OptionRule>> = {
  guid: TEXT,
  name: TEXT,
  licenseKey: TEXT,
  group: TEXT,
  token: TEXT,
};

/** Returns every error in the options, as sentences. No value is quoted: some options are secrets. */
export function optionErrors(options: unknown): readonly string[] {
  if (!isObject(options)) return ['the options must be an object'];
  const { token, controlRoom, stateFile, holder, identity } = options;
  const errors = [...errorsOf(options, OPTION_RULES, { required: ['addresses'], prefix: '' })];
  if (isObject(controlRoom)) {
    errors.push(
      ...errorsOf(controlRoom, CONTROL_ROOM_RULES, { required: ['name', 'licenseKey'], prefix: 'controlRoom.' }),
    );
    if (controlRoom.token === undefined && stateFile === undefined) {
      errors.push('controlRoom requires a stateFile, which stores the token that the client creates');
    }
  }
  if ((token === undefined) === (controlRoom === undefined)) errors.push('give either token or controlRoom');
  if (holder === undefined && identity === undefined && controlRoom === undefined) {
    errors.push('give a holder, an identity or a controlRoom: leases require a holder');
  }
  return errors;
}

function errorsOf(
  values: Readonly<Record<string, unknown>>,
  rules: Readonly<Record<string, OptionRule>>,
  { required, prefix }: { readonly required: readonly string[]; readonly prefix: string },
): readonly string[] {
  const missing = required.filter((name) => values[name] === undefined).map((name) => `${prefix}${name} is missing`);
  const wrong = Object.entries(values).flatMap(([name, value]) => {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!rule) return [`${prefix}${name} is not an option`];
    return value === undefined || rule.accepts(value) ? [] : [`${prefix}${name} must be ${rule.expected}`];
  });
  return [...missing, ...wrong];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
