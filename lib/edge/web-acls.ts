import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { CfnLoggingConfiguration, CfnWebACL } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { regionalName } from '../../lambda/failover/aws/deployment';
import { acknowledge } from '../config/acknowledged';
import type { RegionContext } from '../config/region-context';

/** What probes and people may see of a fenced region; the three grant nothing. */
export const PASSES_THE_FENCE = ['/livez', '/readyz', '/v1/status'] as const;

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
        managedRules(0, 'AWSManagedRulesAmazonIpReputationList'),
        managedRules(1, 'AWSManagedRulesKnownBadInputsRuleSet'),
        // A license file in a body is longer than what the core rules want to see.
        managedRules(2, 'AWSManagedRulesCommonRuleSet', ['SizeRestrictions_BODY']),
        {
          name: 'rate-limit',
          priority: 3,
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
      ],
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
      rules: [looking()],
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

function looking(): CfnWebACL.RuleProperty {
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
    priority: 0,
    action: { allow: {} },
    statement: { orStatement: { statements: PASSES_THE_FENCE.map(path) } },
    visibilityConfig: seenAs('looking'),
  };
}
