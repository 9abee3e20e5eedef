import { Type } from '@sinclair/typebox';

const Triad = Type.Object({
  servers: Type.Array(
    Type.Object({
      server: Type.String({ description: 'As region/name. Earlier servers in the list are preferred' }),
      view: Type.Union([Type.Literal('present'), Type.Literal('absent'), Type.Literal('unknown')]),
    }),
  ),
  quorum: Type.Union([Type.Literal('won'), Type.Literal('lost'), Type.Literal('pending')], {
    description: 'Whether two of the three servers can be reached. Without a quorum nothing is granted or renewed',
  }),
  inControl: Type.Union([Type.String(), Type.Null()], { description: 'The server that grants from the license' }),
  term: Type.Integer({ description: 'Grows with each change of control' }),
});

export const Status = Type.Object(
  {
    region: Type.String(),
    server: Type.String(),
    granting: Type.Boolean(),
    epoch: Type.Union([Type.Integer(), Type.Null()], { description: 'The newest epoch that this server knows' }),
    activeRegion: Type.Union([Type.String(), Type.Null()], {
      description: 'The region that holds authority, as far as known',
    }),
    reason: Type.Optional(Type.String({ description: 'Why this server does not grant' })),
    triads: Type.Optional(
      Type.Array(Triad, {
        description: 'The three servers of each redundant license, by the last observation of this server',
      }),
    ),
  },
  { description: 'The role of this server, from memory' },
);
