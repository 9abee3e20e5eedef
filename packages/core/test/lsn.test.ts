import { compareLsn, lsnBytes, lsnDistanceBytes } from '../src/lsn';

describe('lsnBytes', () => {
  it('reads both halves as hexadecimal', () => {
    expect(lsnBytes('0/3000148')).toBe(0x3000148n);
    expect(lsnBytes('1/0')).toBe(1n << 32n);
    expect(lsnBytes('ffffffff/FFFFFFFF')).toBe((1n << 64n) - 1n);
  });

  it.each(['', '0', '0/', '/0', '0/3000148 ', 'x/1', '123456789/0'])('rejects %p', (text) => {
    expect(() => lsnBytes(text)).toThrow(`"${text}" is not an LSN`);
  });
});

describe('compareLsn', () => {
  it('compares numbers, not text', () => {
    expect(['1/0', '0/9', '0/10', '0/A'].sort(compareLsn)).toEqual(['0/9', '0/A', '0/10', '1/0']);
    expect(compareLsn('0/A', '0/0a')).toBe(0);
  });
});

describe('lsnDistanceBytes', () => {
  it('is positive when the second position is ahead', () => {
    expect(lsnDistanceBytes('0/10', '0/20')).toBe(16);
    expect(lsnDistanceBytes('1/0', '0/FFFFFFFF')).toBe(-1);
  });
});
