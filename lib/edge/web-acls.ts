import { regionalName } from '@evergrant/controller/aws/resource-names';
import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { CfnLoggingConfiguration, CfnWebACL } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { acknowledge } from '../config/acknowledged';
import type { RegionContext } from '../config/region-context';

/** What probes and people may see of a fenced region; the three grant nothing. */
export const PASSES_THE_FENCE = ['/livez', '/readyz', '/v1/status'] as const;

/**
 * Rules of the core set that would block what Evergrant's own callers send, and are only counted. Each call's body is
 * checked against its schema, is never a path or an address to open, and reaches SQL as a parameter only.
 */
const ONLY_COUNTED = [
  // License and offline files are up to 64 KiB; it begins at 8.
  'SizeRestrictions_BODY',
  // Holders, identities, names and reasons are free words: a path with `..`, a ticket's address with an IP, a `<`.
  'GenericLFI_BODY',
  'GenericRFI_BODY',
  'EC2MetaDataSSRF_BODY',
  'CrossSiteScripting_BODY',
  // What is asked for by name, a product or a holder, may end like a system's file: `agent.log`.
  'RestrictedExtensions_QUERYARGUMENTS',
];

/**
 * Logs keep blocked requests only. A record for each request would cost more than the servers that answer it, and the
 * rules that are only counted match ordinary calls.
 */
const ONLY_BLOCKED = {
  DefaultBehavior: 'DROP',
  Filters: [{ Behavior: 'KEEP', Requirement: 'MEETS_ANY', Conditions: [{ ActionCondition: { Action: 'BLOCK' } }] }],
};

/** Tokens stand in this header: WAF replaces it in logs and in sampled requests. */
const NO_TOKENS: CfnWebACL.DataProtectionConfigProperty = {
  dataProtections: [{ action: 'SUBSTITUTION', field: { fieldType: 'SINGLE_HEADER', fieldKeys: ['authorization'] } }],
};

/**
 * Two web ACLs for one load balancer. Which of them is associated says whether the region lets calls in; that is the
 * controller's, and stands in no template.
 */
export class WebAcls extends Construct {
  readonly serve: CfnWebACL;
  readonly fence: CfnWebACL;

  constructor(scope: Construct, id: string, { context, logKey }: { context: RegionContext; logKey: IKey }) {
    super(scope, id);
    const { names, config } = context;
    this.serve = new CfnWebACL(this, 'Serve', {
      name: names.serveAcl,
      description: 'Lets calls in, less what is plainly hostile',
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      visibilityConfig: seenAs('serve'),
      rules: [
        // First, so that it binds whatever is let in below.
        {
          name: 'rate-limit',
          priority: 0,
          action: { block: { customResponse: { responseCode: 429, customResponseBodyKey: 'slow-down' } } },
          statement: {
            rateBasedStatement: {
              aggregateKeyType: 'IP',
              limit: config.rateLimitPerFiveMinutes,
              evaluationWindowSec: 300,
            },
          },
          visibilityConfig: seenAs('rate-limit'),
        },
        // Before the rules that others keep: a failover must not wait for what they will think of its looks tomorrow.
        looking(1),
        managedRules(2, 'AWSManagedRulesAmazonIpReputationList'),
        managedRules(3, 'AWSManagedRulesKnownBadInputsRuleSet'),
        managedRules(4, 'AWSManagedRulesCommonRuleSet', ONLY_COUNTED),
      ],
      dataProtectionConfig: NO_TOKENS,
      customResponseBodies: { 'slow-down': json(SLOW_DOWN) },
    });
    this.fence = new CfnWebACL(this, 'Fence', {
      name: names.fenceAcl,
      description: 'Answers every call with where to go instead',
      scope: 'REGIONAL',
      defaultAction: {
        block: {
          customResponse: {
            responseCode: 503,
            customResponseBodyKey: 'go-elsewhere',
            responseHeaders: [{ name: 'Retry-After', value: '1' }],
          },
        },
      },
      visibilityConfig: seenAs('fence'),
      rules: [looking(0)],
      dataProtectionConfig: NO_TOKENS,
      customResponseBodies: { 'go-elsewhere': json(elsewhere(context)) },
    });
    acknowledge(this.fence, { CKV_AWS_192: 'It blocks every request but three looks, whatever is in it.' });
    this.#log('ServeLog', this.serve, `${names.serveAcl}`, { context, logKey });
    this.#log('FenceLog', this.fence, `${names.fenceAcl}`, { context, logKey });
  }

  #log(id: string, acl: CfnWebACL, name: string, { context, logKey }: { context: RegionContext; logKey: IKey }): void {
    const logGroup = new LogGroup(this, id, {
      // WAF writes to no other names.
      logGroupName: `aws-waf-logs-${name}`,
      retention: context.config.logRetentionDays,
      encryptionKey: logKey,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    new CfnLoggingConfiguration(this, `${id}Configuration`, {
      resourceArn: acl.attrArn,
      logDestinationConfigs: [
        Stack.of(this).formatArn({
          service: 'logs',
          resource: 'log-group',
          arnFormat: 'colon' as never,
          resourceName: logGroup.logGroupName,
        }),
      ],
      redactedFields: [{ singleHeader: { Name: 'authorization' } }],
      loggingFilter: ONLY_BLOCKED,
    });
  }
}

const SLOW_DOWN = { status: 429, code: 'rate_limited', title: 'Too many requests from this address' };

function elsewhere({ config, region, other }: RegionContext): object {
  const address = `https://${regionalName(config.domain.publicName, other)}`;
  return {
    type: 'about:blank',
    title: 'This region does not grant licenses',
    status: 503,
    code: 'not_granting',
    detail: `The region is fenced. Go to ${other}.`,
    reason: 'fenced',
    region,
    activeRegion: other,
    address,
  };
}

function json(content: object): CfnWebACL.CustomResponseBodyProperty {
  return { contentType: 'APPLICATION_JSON', content: JSON.stringify(content) };
}

function seenAs(metricName: string): CfnWebACL.VisibilityConfigProperty {
  return { cloudWatchMetricsEnabled: true, metricName, sampledRequestsEnabled: true };
}

function managedRules(priority: number, name: string, counted: readonly string[] = []): CfnWebACL.RuleProperty {
  return {
    name,
    priority,
    overrideAction: { none: {} },
    statement: {
      managedRuleGroupStatement: {
        vendorName: 'AWS',
        name,
        ruleActionOverrides: counted.map((rule) => ({ name: rule, actionToUse: { count: {} } })),
      },
    },
    visibilityConfig: seenAs(name),
  };
}

function looking(priority: number): CfnWebACL.RuleProperty {
  const path = (searchString: string): CfnWebACL.StatementProperty => ({
    byteMatchStatement: {
      fieldToMatch: { uriPath: {} },
      positionalConstraint: 'EXACTLY',
      searchString,
      textTransformations: [{ priority: 0, type: 'NONE' }],
    },
  });
  return {
    name: 'looking',
    priority,
    action: { allow: {} },
    statement: { orStatement: { statements: PASSES_THE_FENCE.map(path) } },
    visibilityConfig: seenAs('looking'),
  };
}
