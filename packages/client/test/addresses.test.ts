import { AddressBook } from '../src/transport/addresses';
import type { TransportResult } from '../src/transport/call';

/** A set of servers for address selection. Each responds when the test resolves its request. */
const OREGON = 'http://oregon.test';
const VIRGINIA = 'http://virginia.test';

function asked() {
  const answers = new Map<string, (answer: TransportResult) => void>();
  const fetchStatus = (address: string) =>
    new Promise<TransportResult>((resolve) => {
      answers.set(address, resolve);
    });
  const book = new AddressBook({ addresses: [OREGON, VIRGINIA], trusted: [], fetchStatus });
  const chosen = book.current();
  const says = (address: string, granting: boolean) =>
    answers.get(address)?.({
      kind: 'response',
      status: 200,
      body: { granting },
      retryAfterMs: undefined,
      serverDateMs: undefined,
      sentAtMs: 0,
    });
  const isSilent = (address: string) => answers.get(address)?.({ kind: 'no_response', reason: 'it hangs' });
  return { chosen, asks: () => [...answers.keys()], says, isSilent };
}

it('address selection: requests the status of all addresses concurrently', () => {
  expect(asked().asks()).toEqual([OREGON, VIRGINIA]);
});

it('address selection: prefers the faster of two granting addresses, whatever their order', async () => {
  const { chosen, says } = asked();
  says(VIRGINIA, true);
  says(OREGON, true);
  expect(await chosen).toBe(VIRGINIA);
});

it('address selection: prefers a granting address to a faster one that does not grant', async () => {
  const { chosen, says } = asked();
  says(VIRGINIA, false);
  says(OREGON, true);
  expect(await chosen).toBe(OREGON);
});

it('address selection: prefers a responding address to a silent one when none grants', async () => {
  const { chosen, says, isSilent } = asked();
  isSilent(OREGON);
  says(VIRGINIA, false);
  expect(await chosen).toBe(VIRGINIA);
});
