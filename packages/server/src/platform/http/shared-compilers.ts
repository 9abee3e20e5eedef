import AjvCompiler from '@fastify/ajv-compiler';
import SerializerSelector from '@fastify/fast-json-stringify-compiler';
import type { FastifyInstance } from 'fastify';

/**
 * Compiles each schema's validator and serializer once. Most routes share the same problem responses, and compiling
 * them for each route took half of the server's start-up time.
 */
export function shareCompilers(app: FastifyInstance): void {
  app.setValidatorCompiler(validatorOf);
  app.setSerializerCompiler(serializerOf);
}

/** Values are accepted unchanged or refused. They are never coerced. */
const STRICT = { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: true } as const;

const validators = AjvCompiler()({}, { customOptions: STRICT });
const serializers = SerializerSelector()({}, {});

const validatorOf = oncePerSchema((schema) => validators({ schema }));
// The other members of a definition are for serializers that are written to a file.
const serializerOf = oncePerSchema((schema) => serializers({ schema, method: '', url: '', httpStatus: '' }));

function oncePerSchema<Compiled>(
  compile: (schema: unknown) => Compiled,
): (definition: { schema?: unknown }) => Compiled {
  const known = new Map<string, Compiled>();
  return ({ schema }) => {
    const key = JSON.stringify(schema);
    const compiled = known.get(key) ?? compile(schema);
    known.set(key, compiled);
    return compiled;
  };
}
