import { ChangeResourceRecordSetsCommand, ListResourceRecordSetsCommand } from '@aws-sdk/client-route-53';
import { regionalName } from '@evergrant/controller/aws/resource-names';
import { PRIMARY_REGION } from '@evergrant/core/regions';
import { type CustomResourceHandler, property } from './custom-resource';

/** Creates the public record if there is none. It leads to Oregon at first; the controller changes it later. */
export const seedPublicRecord: CustomResourceHandler = async (properties, { route53 }) => {
  const publicName = property(properties, 'publicName');
  const hostedZoneId = property(properties, 'hostedZoneId');
  const { ResourceRecordSets: found = [] } = await route53.send(
    new ListResourceRecordSetsCommand({
      HostedZoneId: hostedZoneId,
      StartRecordName: publicName,
      StartRecordType: 'A',
      MaxItems: 1,
    }),
  );
  if (found[0]?.Type === 'A' && found[0].Name?.replace(/\.$/, '') === publicName) return {};
  const target = {
    HostedZoneId: hostedZoneId,
    DNSName: regionalName(publicName, PRIMARY_REGION),
    EvaluateTargetHealth: false,
  };
  await route53.send(
    new ChangeResourceRecordSetsCommand({
      HostedZoneId: hostedZoneId,
      // CREATE, not UPSERT: a record that another writer has created is not overwritten.
      ChangeBatch: {
        Changes: [{ Action: 'CREATE', ResourceRecordSet: { Name: publicName, Type: 'A', AliasTarget: target } }],
      },
    }),
  );
  return {};
};
