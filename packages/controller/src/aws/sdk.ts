import { OperatingError } from '@evergrant/core/operating-error';

/**
 * Timeouts and retries of every client. Three attempts with the SDK's growing, jittered pauses take less than 10 s,
 * well below the time in which a cycle must act. An attempt without a response fails; it does not only log a warning.
 */
const CONNECT_MS = 1_000;
const REQUEST_MS = 2_500;
const ATTEMPTS_MAX = 3;

export interface SdkSettings {
  readonly region: string;
  readonly maxAttempts: number;
  readonly retryMode: 'standard';
  readonly requestHandler: {
    readonly connectionTimeout: number;
    readonly requestTimeout: number;
    readonly throwOnRequestTimeout: boolean;
  };
}

export function sdkSettings(awsRegion: string): SdkSettings {
  return {
    region: awsRegion,
    maxAttempts: ATTEMPTS_MAX,
    retryMode: 'standard',
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true },
  };
}

/** The properties of the SDK's errors that are used here. */
interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $retryable?: object;
  readonly Code?: string;
}

/** Awaits a call of the SDK. Throws an `OperatingError` whose code is the name of the AWS error. */
export async function awsCall<Answer>(what: string, call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (cause) {
    throw awsFailure(what, cause);
  }
}

export function awsFailure(what: string, cause: unknown): OperatingError {
  const { name = 'Error', message = '', $metadata, $retryable } = cause as SdkError;
  const status = $metadata?.httpStatusCode;
  const isTheirs = status !== undefined && status >= 500;
  const isNoAnswer = status === undefined && !OUR_OWN.has(name);
  const retryable = $retryable !== undefined || isTheirs || isNoAnswer || BUSY.has(name);
  return new OperatingError({ code: name, message: `${what}: ${name}: ${message}`, retryable, cause });
}

/** Whether AWS returned this error. Names with and without the suffix `Fault` or `Exception` are equal. */
export function isFault(failure: unknown, ...names: readonly string[]): boolean {
  if (!(failure instanceof OperatingError)) return false;
  return names.some((name) => bare(failure.code) === bare(name));
}

function bare(name: string): string {
  return name.replace(/(Fault|Exception)$/, '');
}

/** Errors of our own credentials or configuration: the same call will fail in the same way. */
const OUR_OWN = new Set(['CredentialsProviderError', 'TypeError', 'TokenProviderError']);

/** Errors of concurrency or throttling: a later call can succeed. */
const BUSY = new Set([
  'ReplicatedWriteConflictException',
  'PriorRequestNotComplete',
  'WAFUnavailableEntityException',
  'WAFInternalErrorException',
  'InvalidDBInstanceStateFault',
  'InvalidDBInstanceState',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
]);
