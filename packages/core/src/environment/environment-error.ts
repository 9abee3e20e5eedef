/** Every validation error of an environment at once, so that an operator can fix all of them before the next start. */
export class EnvironmentError extends Error {
  readonly code = 'environment_invalid';
  readonly retryable = false;
  readonly errors: readonly string[];

  constructor(errors: readonly string[]) {
    super(`The environment is not valid:\n${errors.map((error) => `  - ${error}`).join('\n')}`);
    this.name = 'EnvironmentError';
    this.errors = errors;
  }
}
