import type { Region } from '@evergrant/core/regions';

/**
 * The names that the templates, the controller, the license servers and the operator's command agree on. They are fixed:
 * a region's ARNs can be written down in the other region's template, and a template stays true when a database is
 * replaced under its name.
 */
export const AWS_REGION_OF: Readonly<Record<Region, string>> = { oregon: 'us-west-2', virginia: 'us-east-1' };

/** The third region of the authority table; it keeps no copy to read, only the quorum. */
export const WITNESS_AWS_REGION = 'us-east-2';

export interface DeploymentNames {
  readonly authorityTable: string;
  readonly databases: Readonly<Record<Region, string>>;
  readonly databaseSubnets: string;
  readonly databaseParameters: string;
  /** Roles belong to no region, so each region's has a name of its own. */
  readonly databaseMonitoringRoles: Readonly<Record<Region, string>>;
  readonly databaseKeyAlias: string;
  readonly loadBalancer: string;
  readonly serveAcl: string;
  readonly fenceAcl: string;
  readonly controller: string;
  readonly secrets: {
    readonly owner: string;
    readonly server: string;
    readonly controller: string;
    readonly administrator: string;
  };
}

/** @param deployment lower-case letters, digits and hyphens, for example `evergrant` */
export function deploymentNames(deployment: string): DeploymentNames {
  return {
    authorityTable: `${deployment}-authority`,
    databases: { oregon: `${deployment}-oregon`, virginia: `${deployment}-virginia` },
    databaseSubnets: `${deployment}-database`,
    databaseParameters: `${deployment}-postgres18`,
    databaseMonitoringRoles: {
      oregon: `${deployment}-database-monitoring-oregon`,
      virginia: `${deployment}-database-monitoring-virginia`,
    },
    databaseKeyAlias: `alias/${deployment}-database`,
    loadBalancer: deployment,
    serveAcl: `${deployment}-serve`,
    fenceAcl: `${deployment}-fence`,
    controller: `${deployment}-failover`,
    secrets: {
      owner: `${deployment}/database-owner`,
      server: `${deployment}/server`,
      controller: `${deployment}/controller`,
      administrator: `${deployment}/administrator`,
    },
  };
}

/** The address of one region, whichever is active: `oregon.licenses.example.com`. */
export function regionalName(publicName: string, region: Region): string {
  return `${region}.${publicName}`;
}
