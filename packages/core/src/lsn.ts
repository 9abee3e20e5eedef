/** A position in the write-ahead log as PostgreSQL prints it, for example `0/3000148`. */
export type Lsn = string;

/** The position in bytes. @throws Error when the text is not an LSN */
export function lsnBytes(lsn: Lsn): bigint {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(lsn);
  if (match === null) throw new Error(`"${lsn}" is not an LSN`);
  return (BigInt(`0x${match[1]}`) << 32n) + BigInt(`0x${match[2]}`);
}

/** Orders two positions as a comparator does: negative, zero or positive. */
export function compareLsn(left: Lsn, right: Lsn): number {
  const difference = lsnBytes(left) - lsnBytes(right);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** How many bytes `to` is ahead of `from`; negative when it is behind. */
export function lsnDistanceBytes(from: Lsn, to: Lsn): number {
  return Number(lsnBytes(to) - lsnBytes(from));
}
