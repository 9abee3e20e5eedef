import { closeSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const BLOCK_BYTES = 512;

/**
 * Unpacks a tar stream in the format that PostgreSQL writes (ustar: plain files, directories, symbolic links; names up
 * to 100 bytes), chunk by chunk. Writes are synchronous and small, so they slow the source down to the speed of the
 * disk.
 */
export class TarReader {
  readonly #target: string;
  #pending: Buffer = Buffer.alloc(0);
  #file: number | undefined;
  /** Remaining bytes of the current file, and the padding after them. */
  #contentBytes = 0;
  #paddingBytes = 0;

  constructor(target: string) {
    this.#target = target;
  }

  write(chunk: Buffer): void {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#contentBytes > 0) rest = this.#writeContent(rest);
      else if (this.#paddingBytes > 0) rest = this.#skipPadding(rest);
      else if (rest.length >= BLOCK_BYTES) rest = this.#readHeader(rest);
      else {
        this.#pending = Buffer.from(rest);
        return;
      }
    }
  }

  /** Throws when the stream ended within a file. */
  end(): void {
    this.#closeFile();
    if (this.#contentBytes > 0) throw new Error('the archive ends within a file');
  }

  #writeContent(rest: Buffer): Buffer {
    const part = rest.subarray(0, this.#contentBytes);
    if (this.#file !== undefined) writeSync(this.#file, part);
    this.#contentBytes -= part.length;
    if (this.#contentBytes === 0) this.#closeFile();
    return rest.subarray(part.length);
  }

  #skipPadding(rest: Buffer): Buffer {
    const skipped = Math.min(rest.length, this.#paddingBytes);
    this.#paddingBytes -= skipped;
    return rest.subarray(skipped);
  }

  #readHeader(rest: Buffer): Buffer {
    const header = rest.subarray(0, BLOCK_BYTES);
    // Two empty blocks mark the end of the archive.
    if (header.some((byte) => byte !== 0)) this.#beginEntry(header);
    return rest.subarray(BLOCK_BYTES);
  }

  #beginEntry(header: Buffer): void {
    const path = join(this.#target, insideTarget(text(header, 0, 100)));
    const type = String.fromCharCode(header[156] ?? 0);
    const sizeBytes = Number.parseInt(text(header, 124, 12).trim() || '0', 8);
    if (type === '5') mkdirSync(path, { recursive: true, mode: 0o700 });
    else if (type === '2') symlinkSync(text(header, 157, 100), path);
    else {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      this.#file = openSync(path, 'w', 0o600);
      this.#contentBytes = sizeBytes;
      this.#paddingBytes = (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
      if (sizeBytes === 0) this.#closeFile();
    }
  }

  #closeFile(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

function text(header: Buffer, offset: number, length: number): string {
  return header.toString('utf8', offset, offset + length).replace(/\0.*$/s, '');
}

function insideTarget(name: string): string {
  const path = normalize(name);
  if (path.startsWith('..') || path.startsWith('/'))
    throw new Error(`the archive contains a path outside of its root: ${name}`);
  return path;
}
