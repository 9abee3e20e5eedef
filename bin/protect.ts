/**
 * After a deploy: puts the stacks' policies in place, so that no later one replaces or deletes what holds state.
 * `npm run deploy:aws` ends with it.
 */
import { SetStackPolicyCommand } from '@aws-sdk/client-cloudformation';
import { askStack } from '../lib/protection/stack-call';
import { STACK_POLICY } from '../lib/protection/unsafe-changes';
import { STACKS } from '../lib/stacks/deployment';

async function main(): Promise<void> {
  for (const stack of Object.values(STACKS)) {
    const set = new SetStackPolicyCommand({ StackName: stack, StackPolicyBody: JSON.stringify(STACK_POLICY) });
    const done = await askStack(stack, (client) => client.send(set));
    process.stdout.write(`${stack} ${done === null ? 'is not deployed yet' : 'is protected by its policy'}\n`);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(
    `The stacks' policies are not all in place: ${error instanceof Error ? error.message : error}\nnpx tsx bin/protect.ts does it again.\n`,
  );
  process.exitCode = 1;
});
