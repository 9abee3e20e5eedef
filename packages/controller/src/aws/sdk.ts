import { OperatingError } from '@evergrant/core/operating-error';

/**
 * Time-outs and retries of every client. Three attempts with the SDK's jittered, growing pauses take less than
 * 10 s, well below the time in which a cycle must act; an attempt without an answer ends, and is not only warned about.
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

/** What the SDK hangs on its errors, as far as it is used here. */
interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $retryable?: object;
  readonly Code?: string;
}

/** Awaits a call of the SDK. Throws an `OperatingError` whose code is the name AWS gave the fault. */
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

/** Did AWS answer with this fault? Names with and without the `Fault` and `Exception` at the end are one. */
export function isFault(failure: unknown, ...names: readonly string[]): boolean {
  if (!(failure instanceof OperatingError)) return false;
  return names.some((name) => bare(failure.code) === bare(name));
}

function bare(name: string): string {
  return name.replace(/(Fault|Exception)$/, '');
}

/** Our own credentials or configuration: the same call will fail in the same way. */
const OUR_OWN = new Set(['CredentialsProviderError', 'TypeError', 'TokenProviderError']);

/** Somebody else is at work on the same thing, or there was too much at once. */
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
