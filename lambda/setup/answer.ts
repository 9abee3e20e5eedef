import type { Properties } from './custom-resource';

/** The event that CloudFormation sends to the function of a custom resource. */
export interface CloudFormationEvent {
  readonly RequestType: 'Create' | 'Update' | 'Delete';
  readonly ResponseURL: string;
  readonly StackId: string;
  readonly RequestId: string;
  readonly LogicalResourceId: string;
  readonly PhysicalResourceId?: string;
  readonly ResourceProperties: Properties;
}

export interface SetupAnswer {
  readonly status: 'SUCCESS' | 'FAILED';
  readonly physicalId: string;
  readonly reason?: string;
  readonly data?: Readonly<Record<string, string>>;
}

const TIMEOUT_MS = 10_000;

/** Sends the result to CloudFormation. Without an answer a stack waits for an hour. */
export async function answerCloudFormation(event: CloudFormationEvent, answer: SetupAnswer): Promise<void> {
  const body = JSON.stringify({
    Status: answer.status,
    Reason: answer.reason ?? 'done',
    PhysicalResourceId: answer.physicalId,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    Data: answer.data ?? {},
  });
  const response = await fetch(event.ResponseURL, {
    method: 'PUT',
    body,
    // The address is signed without a content type, so the request must not have one.
    headers: { 'content-type': '', 'content-length': String(Buffer.byteLength(body)) },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`CloudFormation's address answers ${response.status}`);
}
