import { type ValueError, ValueErrorType } from '@sinclair/typebox/errors';

/** What a value that does not fit is told, with its place. A description in the schema says what would be right. */
export function mistakeOf({ path, type, value, message, schema }: ValueError): string {
  const place = placeOf(path);
  const { description } = schema;
  if (type === ValueErrorType.ObjectAdditionalProperties) {
    return `${place}: there is no such setting; is its name spelled right?`;
  }
  if (type === ValueErrorType.ObjectRequiredProperty || value === undefined) {
    return `${place}: is missing${description === undefined ? '' : `; it must be ${description}`}`;
  }
  const wanted = description === undefined ? message.replace('Expected', 'must be:') : `must be ${description}`;
  return `${place}: ${JSON.stringify(value)} ${wanted}`;
}

/** `/service/cpu` as the configuration writes it: `service.cpu`. */
export function placeOf(path: string): string {
  return path.slice(1).replaceAll('/', '.') || 'configuration';
}

/** For a description: `7, 14 or 30`. */
export function oneOf(values: readonly number[]): string {
  return `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}
