import type { Properties } from './custom-resource';

/** What CloudFormation sends to the function behind a custom resource. */
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

/** Tells CloudFormation what came of it; a stack waits an hour for an answer that does not come. */
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
    // The address is signed without a content type: with one, the signature would not fit.
    headers: { 'content-type': '', 'content-length': String(Buffer.byteLength(body)) },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`CloudFormation's address answers ${response.status}`);
}
