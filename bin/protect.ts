/**
 * Sets the stack policies after a deploy, so that no later deploy replaces or deletes a stateful resource.
 * `npm run deploy:aws` runs it last.
 */
import { SetStackPolicyCommand } from '@aws-sdk/client-cloudformation';
import { callStack } from '../lib/protection/stack-call';
import { STACK_POLICY } from '../lib/protection/unsafe-changes';
import { STACKS } from '../lib/stacks/deployment';

async function main(): Promise<void> {
  for (const stack of Object.values(STACKS)) {
    const set = new SetStackPolicyCommand({ StackName: stack, StackPolicyBody: JSON.stringify(STACK_POLICY) });
    const done = await callStack(stack, (client) => client.send(set));
    process.stdout.write(
      `${stack} ${done === undefined ? 'is not deployed yet' : 'is protected by its stack policy'}\n`,
    );
  }
}

main().catch((error: unknown) => {
  process.stderr.write(
    `Setting the stack policies failed: ${error instanceof Error ? error.message : error}\nRun npx tsx bin/protect.ts again.\n`,
  );
  process.exitCode = 1;
});
