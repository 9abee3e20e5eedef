import { regionalName } from '@evergrant/controller/aws/resource-names';
import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { CfnLoggingConfiguration, CfnWebACL } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { acknowledge } from '../config/acknowledged';
import type { RegionContext } from '../config/region-context';

/** Paths that a fenced region still serves to probes and people. None of them grants a lease. */
export const PASSES_THE_FENCE = ['/livez', '/readyz', '/v1/status'] as const;

/**
 * Rules of the core rule set that would block valid requests and therefore only count. The server validates each body
 * against its schema, never opens it as a path or address, and passes it to SQL only as a parameter.
 */
const COUNTED_RULES = [
  // License and offline files have up to 64 KiB; the rule blocks above 8 KiB.
  'SizeRestrictions_BODY',
  // Holders, identities, names and reasons are free text: a path with `..`, an address with an IP, a `<`.
  'GenericLFI_BODY',
  'GenericRFI_BODY',
  'EC2MetaDataSSRF_BODY',
  'CrossSiteScripting_BODY',
  // The name of a product or a holder in a query may end like a system file: `agent.log`.
  'RestrictedExtensions_QUERYARGUMENTS',
];

/**
 * The logs keep only blocked requests. A record of every request would cost more than the servers, and the counted rules
 * match valid requests.
 */
const BLOCKED_ONLY = {
  DefaultBehavior: 'DROP',
  Filters: [{ Behavior: 'KEEP', Requirement: 'MEETS_ANY', Conditions: [{ ActionCondition: { Action: 'BLOCK' } }] }],
};

/** WAF replaces the header with the token in logs and in sampled requests. */
const NO_TOKENS: CfnWebACL.DataProtectionConfigProperty = {
  dataProtections: [{ action: 'SUBSTITUTION', field: { fieldType: 'SINGLE_HEADER', fieldKeys: ['authorization'] } }],
};

/**
 * The two web ACLs of one load balancer: one serves requests and one fences the region. The controller associates one of
 * them at run time, so no template contains the association.
 */
export class WebAclPair extends Construct {
  readonly serve: CfnWebACL;
  readonly fence: CfnWebACL;

  constructor(scope: Construct, id: string, { context, logKey }: { context: RegionContext; logKey: IKey }) {
    super(scope, id);
    const { names, config } = context;
    this.serve = new CfnWebACL(this, 'Serve', {
      name: names.serveAcl,
      description: 'Allows requests, except for clearly hostile ones',
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      visibilityConfig: visibility('serve'),
      rules: [
        // First, so that the limit also applies to requests that a later rule allows.
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
          visibilityConfig: visibility('rate-limit'),
        },
        // Before the managed rules, so that a change of these rules cannot block the controller's probes.
        allowProbes(1),
        managedRules(2, 'AWSManagedRulesAmazonIpReputationList'),
        managedRules(3, 'AWSManagedRulesKnownBadInputsRuleSet'),
        managedRules(4, 'AWSManagedRulesCommonRuleSet', COUNTED_RULES),
      ],
      dataProtectionConfig: NO_TOKENS,
      customResponseBodies: { 'slow-down': json(SLOW_DOWN) },
    });
    this.fence = new CfnWebACL(this, 'Fence', {
      name: names.fenceAcl,
      description: 'Answers every request with the address of the active region',
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
      visibilityConfig: visibility('fence'),
      rules: [allowProbes(0)],
      dataProtectionConfig: NO_TOKENS,
      customResponseBodies: { 'go-elsewhere': json(redirection(context)) },
    });
    acknowledge(this.fence, {
      CKV_AWS_192: 'The web ACL blocks every request except three read-only paths, independent of the content.',
    });
    this.#log('ServeLog', this.serve, `${names.serveAcl}`, { context, logKey });
    this.#log('FenceLog', this.fence, `${names.fenceAcl}`, { context, logKey });
  }

  #log(id: string, acl: CfnWebACL, name: string, { context, logKey }: { context: RegionContext; logKey: IKey }): void {
    const logGroup = new LogGroup(this, id, {
      // WAF requires this prefix.
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
      loggingFilter: BLOCKED_ONLY,
    });
  }
}

const SLOW_DOWN = { status: 429, code: 'rate_limited', title: 'Too many requests from this address' };

function redirection({ config, region, other }: RegionContext): object {
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

function visibility(metricName: string): CfnWebACL.VisibilityConfigProperty {
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
    visibilityConfig: visibility(name),
  };
}

function allowProbes(priority: number): CfnWebACL.RuleProperty {
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
    visibilityConfig: visibility('looking'),
  };
}
