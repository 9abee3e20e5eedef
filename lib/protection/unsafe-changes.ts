/** The compared part of a template. */
export interface ComparedTemplate {
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties?: unknown }>>;
}

/** Types of resources that hold state or that a failover depends on. They must not change while failed over. */
const STATEFUL = new Set([
  'AWS::RDS::DBInstance',
  'AWS::RDS::DBParameterGroup',
  'AWS::RDS::DBSubnetGroup',
  'AWS::DynamoDB::GlobalTable',
  'AWS::SecretsManager::Secret',
  'AWS::KMS::Key',
  'AWS::ElasticLoadBalancingV2::LoadBalancer',
  'AWS::WAFv2::WebACL',
  'AWS::EC2::VPC',
  'AWS::EC2::VPCPeeringConnection',
]);

/** The changes to stateful resources that a deploy would make, one sentence each. */
export function unsafeChanges(stack: string, deployed: ComparedTemplate, next: ComparedTemplate): readonly string[] {
  return Object.entries(deployed.Resources)
    .filter(([, { Type }]) => STATEFUL.has(Type))
    .flatMap(([id, before]) => {
      const after = next.Resources[id];
      if (after === undefined) return [`${stack}: ${id} (${before.Type}) would be removed from the stack`];
      if (after.Type !== before.Type) return [`${stack}: ${id} would become a ${after.Type}`];
      return ordered(before.Properties) === ordered(after.Properties)
        ? []
        : [`${stack}: ${id} (${before.Type}) would be changed`];
    });
}

/** JSON with sorted members. */
function ordered(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([left], [right]) => (left < right ? -1 : 1)))
      : member,
  );
}

/** The policy of every stack: an update may modify stateful resources but never replace or delete them. */
export const STACK_POLICY = {
  Statement: [
    { Effect: 'Allow', Action: 'Update:*', Principal: '*', Resource: '*' },
    {
      Effect: 'Deny',
      Action: ['Update:Replace', 'Update:Delete'],
      Principal: '*',
      Resource: '*',
      Condition: { StringEquals: { ResourceType: [...STATEFUL] } },
    },
  ],
};
