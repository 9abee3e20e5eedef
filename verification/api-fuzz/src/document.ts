/**
 * The server's OpenAPI document, as a generator of requests needs it. What the server is held to is left as it is.
 */
// biome-ignore lint/suspicious/noExplicitAny: a document of any shape
type Json = any;

/** A world that grants has these; left to chance no request would ever name one. */
export interface KnownNames {
  readonly product: string;
  readonly feature: readonly string[];
}

/** Unicode classes, which the generator's regular expressions do not know: control characters and half ones. */
const CLASSES = '\\p{Cc}\\p{Cs}';
const RANGES = '\\x00-\\x1f\\x7f-\\x9f';

export function forGenerator(document: Json, known: KnownNames): Json {
  const portable = JSON.parse(JSON.stringify(document), (key, value) =>
    key === 'pattern' && typeof value === 'string' ? value.replaceAll(CLASSES, RANGES) : value,
  );
  for (const path of Object.values<Json>(portable.paths ?? {})) {
    for (const operation of Object.values<Json>(path)) nameWhatIsThere(operation, known);
  }
  return portable;
}

/** Lets the request, never the response, name products and features that exist, as well as any others. */
function nameWhatIsThere(operation: Json, { product, feature }: KnownNames): void {
  const body = operation?.requestBody?.content?.['application/json']?.schema?.properties ?? {};
  const values: Record<string, readonly string[]> = { product: [product], feature };
  for (const [name, names] of Object.entries(values)) {
    if (body[name]) body[name] = { anyOf: [{ type: 'string', enum: names }, body[name]] };
    for (const parameter of operation?.parameters ?? []) {
      if (parameter.name === name) parameter.schema = { anyOf: [{ type: 'string', enum: names }, parameter.schema] };
    }
  }
}
