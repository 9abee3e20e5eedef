import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';

/** Calls CloudFormation in the region of the stack. Returns undefined when the stack does not exist. */
export async function callStack<Answer>(
  stack: string,
  call: (client: CloudFormationClient) => Promise<Answer>,
): Promise<Answer | undefined> {
  const region = AWS_REGION_OF[stack.includes('Oregon') ? 'oregon' : 'virginia'];
  try {
    return await call(new CloudFormationClient({ region }));
  } catch (error) {
    const { name, message } = error as Error;
    if (name === 'ValidationError' && message.includes('does not exist')) return undefined;
    throw error;
  }
}
