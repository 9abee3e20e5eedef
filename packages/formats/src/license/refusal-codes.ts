/**
 * Reasons to refuse a license file. The codes are a published contract. The `detail` of a refusal explains the reason to
 * the person who uses the file, and what to do.
 */
export const REFUSAL_CODES = [
  /** The file is not a license file, or the signed content is not a license document. */
  'license_unreadable',
  /** The file was changed after it was signed. */
  'license_tampered',
  /** No trusted key signed the file. */
  'license_unknown_key',
  /** The certificate of the signing key is not valid now. */
  'license_key_expired',
  'license_expired',
  'license_not_yet_valid',
  /** The license is dedicated to other servers. */
  'license_wrong_server',
  /** The file cannot be decrypted here, or is bound to another deployment. */
  'license_not_for_this_deployment',
  /** Keygen files only: the license was suspended or banned when the file was checked out. */
  'license_suspended',
] as const;

export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** An error at a path, such as `entitlements.0.seats` with the message `must be a whole number from 0 to 2147483647`. */
export interface ValidationError {
  readonly path: string;
  readonly message: string;
}

export interface FileRefusal {
  readonly kind: 'refused';
  readonly code: RefusalCode;
  readonly detail: string;
  /** The validation errors of the document, if there are any. */
  readonly errors: readonly ValidationError[];
}

export function refused(code: RefusalCode, detail: string, errors: readonly ValidationError[] = []): FileRefusal {
  return { kind: 'refused', code, detail, errors };
}

export function describeErrors(errors: readonly ValidationError[]): string {
  return errors.map(({ path, message }) => (path ? `${path} ${message}` : `it ${message}`)).join('; ');
}
