import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';

type DescribedDocument = ReturnType<NonNullable<FastifyDynamicSwaggerOptions['transformObject']>>;

interface DescribedBody {
  required?: boolean;
  readonly content?: Readonly<Record<string, { readonly schema?: { readonly required?: readonly string[] } }>>;
}

/** Marks a body as optional when none of its members is required. */
export function withOptionalBodies(document: DescribedDocument): DescribedDocument {
  for (const operations of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(operations ?? {})) {
      const body = (operation as { requestBody?: DescribedBody })?.requestBody;
      if (!body) continue;
      const schemas = Object.values(body.content ?? {}).map(({ schema }) => schema);
      body.required = schemas.some((schema) => (schema?.required ?? []).length > 0);
    }
  }
  return document;
}
