/** Amounts that no template states: traffic and logs, each a month unless its name says otherwise. */
export interface MonthlyUsage {
  /** Requests to the active region, heartbeats included. */
  readonly requestsPerSecond: number;
  readonly requestAndAnswerBytes: number;
  /** WAL that the follower receives. */
  readonly walGB: number;
  readonly serverLogGB: number;
  readonly databaseLogGB: number;
  readonly controllerLogGB: number;
  /** Refused connections that the flow logs record. */
  readonly flowLogGB: number;
  /** Size of a web ACL's log record. An estimate: no bill has confirmed it. */
  readonly webAclRecordBytes: number;
  /** Share of the requests that the web ACLs log: those that they block. */
  readonly webAclLoggedShare: number;
  readonly accessLogRecordBytes: number;
  /** Backups beyond the size of the database: changes kept for the retention time. */
  readonly backupGB: number;
  /** Through the NAT gateways: calls to AWS's APIs without an endpoint, images. */
  readonly natGB: number;
  /** Metrics that Container Insights makes of a cluster, a service and a task definition. */
  readonly containerInsightsMetrics: number;
  /** How long the controller runs in every minute. */
  readonly controllerSecondsPerMinute: number;
  readonly authorityWritesPerSecond: number;
}

/** A small vendor: 1,000 leases that send a heartbeat every 200 s, and some checkouts. */
export const SMALL_VENDOR: MonthlyUsage = {
  requestsPerSecond: 10,
  requestAndAnswerBytes: 3_000,
  walGB: 20,
  serverLogGB: 5,
  databaseLogGB: 2,
  controllerLogGB: 1,
  flowLogGB: 1,
  webAclRecordBytes: 1_500,
  webAclLoggedShare: 0.01,
  accessLogRecordBytes: 500,
  backupGB: 50,
  natGB: 20,
  containerInsightsMetrics: 30,
  controllerSecondsPerMinute: 45,
  authorityWritesPerSecond: 0.7,
};
