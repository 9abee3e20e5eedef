import { type Static, Type } from '@sinclair/typebox';

/** The part of Keygen's JSON:API document that is understood here; the rest of it is looked at by name only. */
const Attributes = Type.Record(Type.String(), Type.Unknown());
const Resource = Type.Object({ id: Type.String(), type: Type.String(), attributes: Type.Optional(Attributes) });

export const KeygenDocument = Type.Object({
  data: Type.Object({
    id: Type.String({ says: 'text' }),
    type: Type.Literal('licenses', { says: 'licenses' }),
    attributes: Type.Object(
      {
        name: Type.Optional(Type.Union([Type.String(), Type.Null()], { says: 'text or null' })),
        key: Type.Optional(Type.String({ says: 'text' })),
        expiry: Type.Optional(Type.Union([Type.String(), Type.Null()], { says: 'a moment or null' })),
        status: Type.Optional(Type.String({ says: 'text' })),
        suspended: Type.Optional(Type.Boolean({ says: 'true or false' })),
        maxMachines: Type.Optional(
          Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], { says: 'a number or null' }),
        ),
      },
      { says: 'an object' },
    ),
    relationships: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
  included: Type.Optional(Type.Array(Resource, { says: 'a list of resources' })),
  meta: Type.Object(
    {
      issued: Type.String({ says: 'a moment' }),
      expiry: Type.Optional(Type.Union([Type.String(), Type.Null()], { says: 'a moment or null' })),
    },
    { says: 'an object with issued and expiry' },
  ),
});

export type KeygenDocument = Static<typeof KeygenDocument>;
export type KeygenAttributes = Static<typeof Attributes>;
export type KeygenResource = Static<typeof Resource>;

export function includedOf(document: KeygenDocument, type: string): KeygenResource[] {
  return (document.included ?? []).filter((resource) => resource.type === type);
}

export function attributesOf(document: KeygenDocument, type: string): KeygenAttributes {
  return includedOf(document, type)[0]?.attributes ?? {};
}
