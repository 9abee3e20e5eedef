import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';

/** Asks CloudFormation in the stack's own region. Null: the stack is not there. */
export async function askStack<Answer>(
  stack: string,
  ask: (client: CloudFormationClient) => Promise<Answer>,
): Promise<Answer | null> {
  const region = AWS_REGION_OF[stack.includes('Oregon') ? 'oregon' : 'virginia'];
  try {
    return await ask(new CloudFormationClient({ region }));
  } catch (error) {
    const { name, message } = error as Error;
    if (name === 'ValidationError' && message.includes('does not exist')) return null;
    throw error;
  }
}
