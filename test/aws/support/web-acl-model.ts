import type { IncomingHttpHeaders } from 'node:http';

/** A rule of a web ACL in a template: the members that the model reads. */
export interface AclRule {
  readonly Name: string;
  readonly Priority: number;
  readonly Action?: { readonly Allow?: object; readonly Block?: object };
  readonly Statement: AclStatement;
}

interface AclStatement {
  readonly ByteMatchStatement?: { readonly SearchString: string; readonly PositionalConstraint: string };
  readonly OrStatement?: { readonly Statements: readonly AclStatement[] };
  readonly ManagedRuleGroupStatement?: {
    readonly Name: string;
    readonly RuleActionOverrides?: readonly { readonly Name: string; readonly ActionToUse: object }[];
  };
}

export interface AskedOfAcl {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** The default response of AWS WAF to a blocked call. */
export const BLOCKED = { status: 403, contentType: 'text/html', body: '<html><body>403 Forbidden</body></html>' };

/**
 * Whether the web ACL *serve* lets a call in. AWS WAF developer guide: rules are evaluated in the order of their
 * priority, and the first rule that allows or blocks is final. Of the managed groups the model implements one rule,
 * "NoUserAgent_HEADER: inspects for requests that are missing the HTTP User-Agent header. Rule action: Block".
 */
export function letsIn(rules: readonly AclRule[], asked: AskedOfAcl): boolean {
  for (const { Action, Statement } of [...rules].sort((left, right) => left.Priority - right.Priority)) {
    if (Action?.Allow !== undefined && matchesPath(Statement, asked.path)) return true;
    if (blocksTheNameless(Statement) && (asked.headers['user-agent'] ?? '') === '') return false;
  }
  return true;
}

function matchesPath({ ByteMatchStatement: match, OrStatement: any }: AclStatement, path: string): boolean {
  if (any !== undefined) return any.Statements.some((statement) => matchesPath(statement, path));
  return match?.PositionalConstraint === 'EXACTLY' && match.SearchString === path;
}

function blocksTheNameless({ ManagedRuleGroupStatement: group }: AclStatement): boolean {
  if (group?.Name !== 'AWSManagedRulesCommonRuleSet') return false;
  return !(group.RuleActionOverrides ?? []).some(({ Name }) => Name === 'NoUserAgent_HEADER');
}
