import { LicenseClient, type LicenseClientOptions } from '../src/license-client';

describe('the options of the client', () => {
  const errorsOf = (options: unknown): readonly string[] => {
    try {
      const client = new LicenseClient(options as LicenseClientOptions);
      void client.close();
      return [];
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return error.message.replace('license client: ', '').split('; ');
    }
  };
  const VALID = { addresses: ['http://127.0.0.1:9'], token: 'a token', holder: 'kyoto' };

  it('are accepted when they are valid, also when optional ones are undefined', () => {
    expect(errorsOf({ ...VALID, identity: undefined, requestTimeoutMs: 5 })).toEqual([]);
  });

  it.each([
    [{ token: 'a token', holder: 'kyoto' }, ['addresses is missing']],
    [{ ...VALID, addresses: [] }, ['addresses must be an array of http:// or https:// URLs']],
    [{ ...VALID, addresses: ['127.0.0.1:9'] }, ['addresses must be an array of http:// or https:// URLs']],
    [
      { ...VALID, stateFil: 'oops.json', requestTimeoutMs: '5' },
      ['stateFil is not an option', 'requestTimeoutMs must be a number of milliseconds, 0 or more'],
    ],
    [{ ...VALID, onEvent: 'log', sessions: 1 }, ['onEvent must be a function', 'sessions must be true or false']],
    [
      { addresses: VALID.addresses, controlRoom: { nam: 'Kyoto', licenseKey: 7 }, stateFile: 'room.json' },
      [
        'controlRoom.name is missing',
        'controlRoom.nam is not an option',
        'controlRoom.licenseKey must be a string that is not empty',
      ],
    ],
    [undefined, ['the options must be an object']],
    [
      {},
      [
        'addresses is missing',
        'give either token or controlRoom',
        'give a holder, an identity or a controlRoom: leases require a holder',
      ],
    ],
  ])('%j are refused with every error', (options, errors) => {
    expect(errorsOf(options)).toEqual(errors);
  });

  it('are never quoted, because some are secrets', () => {
    expect(errorsOf({ ...VALID, token: 12_345 }).join()).not.toContain('12345');
  });
});
