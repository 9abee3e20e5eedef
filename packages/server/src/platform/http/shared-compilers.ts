import AjvCompiler from '@fastify/ajv-compiler';
import SerializerSelector from '@fastify/fast-json-stringify-compiler';
import type { FastifyInstance } from 'fastify';

/**
 * What checks requests and writes answers, compiled once for each schema: most routes answer with the same problems, and
 * compiling them anew for each was half of the time that a server took to start.
 */
export function shareCompilers(app: FastifyInstance): void {
  app.setValidatorCompiler(validatorOf);
  app.setSerializerCompiler(serializerOf);
}

/** A value is taken as it is or refused: it is never bent into shape. */
const STRICT = { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: true } as const;

const validators = AjvCompiler()({}, { customOptions: STRICT });
const serializers = SerializerSelector()({}, {});

const validatorOf = oncePerSchema((schema) => validators({ schema }));
// The rest of a definition is for serializers that are written to a file.
const serializerOf = oncePerSchema((schema) => serializers({ schema, method: '', url: '', httpStatus: '' }));

function oncePerSchema<Compiled>(compile: (schema: unknown) => Compiled): (part: { schema?: unknown }) => Compiled {
  const known = new Map<string, Compiled>();
  return ({ schema }) => {
    const key = JSON.stringify(schema);
    const compiled = known.get(key) ?? compile(schema);
    known.set(key, compiled);
    return compiled;
  };
}
