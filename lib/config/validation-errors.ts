import { type ValueError, ValueErrorType } from '@sinclair/typebox/errors';

/** The message of a validation error: the path of the setting and, from the schema's description, the expected value. */
export function validationMessage({ path, type, value, message, schema }: ValueError): string {
  const setting = settingPath(path);
  const { description } = schema;
  if (type === ValueErrorType.ObjectAdditionalProperties) {
    return `${setting}: unknown setting; check the spelling`;
  }
  if (type === ValueErrorType.ObjectRequiredProperty || value === undefined) {
    return `${setting}: is missing${description === undefined ? '' : `; it must be ${description}`}`;
  }
  const expected = description === undefined ? message.replace('Expected', 'must be:') : `must be ${description}`;
  return `${setting}: ${JSON.stringify(value)} ${expected}`;
}

/** The path of a setting as the configuration writes it: `service.cpu` for `/service/cpu`. */
export function settingPath(path: string): string {
  return path.slice(1).replaceAll('/', '.') || 'configuration';
}

/** A list for a description: `7, 14 or 30`. */
export function oneOfLiterals(values: readonly number[]): string {
  return `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}
