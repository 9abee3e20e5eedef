import { type Static, Type } from '@sinclair/typebox';

/** The part of Keygen's JSON:API document that is mapped. Other parts are only listed by name. */
const Attributes = Type.Record(Type.String(), Type.Unknown());
const Resource = Type.Object({ id: Type.String(), type: Type.String(), attributes: Type.Optional(Attributes) });

export const KeygenDocument = Type.Object({
  data: Type.Object({
    id: Type.String({ expected: 'text' }),
    type: Type.Literal('licenses', { expected: 'licenses' }),
    attributes: Type.Object(
      {
        name: Type.Optional(Type.Union([Type.String(), Type.Null()], { expected: 'text or null' })),
        key: Type.Optional(Type.String({ expected: 'text' })),
        expiry: Type.Optional(Type.Union([Type.String(), Type.Null()], { expected: 'an instant or null' })),
        status: Type.Optional(Type.String({ expected: 'text' })),
        suspended: Type.Optional(Type.Boolean({ expected: 'true or false' })),
        maxMachines: Type.Optional(
          Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], { expected: 'a number or null' }),
        ),
      },
      { expected: 'an object' },
    ),
    relationships: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
  included: Type.Optional(Type.Array(Resource, { expected: 'a list of resources' })),
  meta: Type.Object(
    {
      issued: Type.String({ expected: 'an instant' }),
      expiry: Type.Optional(Type.Union([Type.String(), Type.Null()], { expected: 'an instant or null' })),
    },
    { expected: 'an object with issued and expiry' },
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
