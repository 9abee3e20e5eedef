import { Type } from '@sinclair/typebox';

const Triad = Type.Object({
  servers: Type.Array(
    Type.Object({
      server: Type.String({ description: 'As region/name; an earlier one is preferred' }),
      view: Type.Union([Type.Literal('present'), Type.Literal('absent'), Type.Literal('unknown')]),
    }),
  ),
  quorum: Type.Union([Type.Literal('won'), Type.Literal('lost'), Type.Literal('pending')], {
    description: 'Of two; without it nothing is granted or renewed',
  }),
  inControl: Type.Union([Type.String(), Type.Null()], { description: 'The server that grants from the license' }),
  term: Type.Integer({ description: 'Grows with each change of control' }),
});

export const Status = Type.Object(
  {
    region: Type.String(),
    server: Type.String(),
    granting: Type.Boolean(),
    epoch: Type.Union([Type.Integer(), Type.Null()], { description: 'The newest epoch this server knows of' }),
    activeRegion: Type.Union([Type.String(), Type.Null()], {
      description: 'The region that holds authority, as far as known',
    }),
    reason: Type.Optional(Type.String({ description: 'Why it does not grant' })),
    triads: Type.Optional(
      Type.Array(Triad, { description: 'The three servers of each redundant license, as this server last saw them' }),
    ),
  },
  { description: 'The role of this server, from memory' },
);
