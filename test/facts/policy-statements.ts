import type { Template } from '../lib/support/synthesized';

/** A statement of a synthesized policy, with every intrinsic function in an ARN replaced by `<>`. */
export interface PlainStatement {
  /** The role, or roles, that the policy belongs to: logical ids. */
  readonly roles: readonly string[];
  readonly sid: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditionKeys: readonly string[];
}

interface RawStatement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

type Document = { readonly Statement: readonly RawStatement[] };

/** Every Allow statement of every identity policy in a template: AWS::IAM::Policy and the inline policies of roles. */
export function policyStatements(template: Template): PlainStatement[] {
  return Object.entries(template.resources).flatMap(([id, { Type, Properties }]) => {
    if (Type === 'AWS::IAM::Policy') return plain(Properties.PolicyDocument as Document, logicalIds(Properties.Roles));
    if (Type !== 'AWS::IAM::Role') return [];
    const policies = (Properties.Policies ?? []) as readonly { readonly PolicyDocument: Document }[];
    return policies.flatMap(({ PolicyDocument }) => plain(PolicyDocument, [id]));
  });
}

function plain(document: Document, roles: readonly string[]): PlainStatement[] {
  return document.Statement.filter(({ Effect }) => Effect === 'Allow').map((statement) => ({
    roles,
    sid: statement.Sid ?? [statement.Action].flat().join(' '),
    actions: [statement.Action].flat(),
    resources: flatArn(statement.Resource),
    conditionKeys: Object.values(statement.Condition ?? {}).flatMap((keys) => Object.keys(keys)),
  }));
}

function logicalIds(roles: unknown): string[] {
  return ((roles ?? []) as readonly unknown[]).map((role) => (role as { Ref?: string }).Ref ?? JSON.stringify(role));
}

function flatArn(resource: unknown): string[] {
  if (Array.isArray(resource)) return resource.flatMap(flatArn);
  if (typeof resource === 'string') return [resource];
  const [, parts] = (resource as { 'Fn::Join'?: [string, unknown[]] })['Fn::Join'] ?? ['', ['<>']];
  return [parts.map((part) => (typeof part === 'string' ? part : '<>')).join('')];
}
