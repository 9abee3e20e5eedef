/**
 * Why a license file is refused. Codes are a contract: scripts branch on them. The detail is a sentence for the person
 * who has the file in hand, and says what to do.
 */
export const REFUSAL_CODES = [
  /** It is no license file, or what was signed is no license document. */
  'license_unreadable',
  /** It was changed after it had been signed. */
  'license_tampered',
  /** It was signed by nobody who is trusted here. */
  'license_unknown_key',
  /** The certificate of the key that signed it is not valid now. */
  'license_key_expired',
  'license_expired',
  'license_not_yet_valid',
  /** It is dedicated to other servers. */
  'license_wrong_server',
  /** It cannot be decrypted here, or is bound to another deployment. */
  'license_not_for_this_deployment',
  /** Of Keygen's files only: it was suspended or banned when the file was made. */
  'license_suspended',
] as const;

export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** One thing that is wrong, at its place: `entitlements.0.seats` must be a whole number from 0 to 2147483647. */
export interface ValidationError {
  readonly path: string;
  readonly message: string;
}

export interface Refusal {
  readonly kind: 'refused';
  readonly code: RefusalCode;
  readonly detail: string;
  /** All that is wrong with a document, when that is why. */
  readonly errors: readonly ValidationError[];
}

export function refused(code: RefusalCode, detail: string, errors: readonly ValidationError[] = []): Refusal {
  return { kind: 'refused', code, detail, errors };
}

export function describeErrors(errors: readonly ValidationError[]): string {
  return errors.map(({ path, message }) => (path ? `${path} ${message}` : `it ${message}`)).join('; ');
}
