/**
 * npm run lint:prose [-- paths]: rejects the words of prose-rules.js. Checks the text of Markdown files, the comments
 * and the string literals of TypeScript and JavaScript, the comments of SQL, YAML and shell files, and the identifiers
 * and file names. Prints file:line:column, the word and its replacement, and exits 1 when there is a finding.
 */
const { execFileSync } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const { join, relative, resolve } = require('node:path');
const { parse } = require('@babel/parser');
const { EXCEPTIONS, NAMES, PROSE } = require('./prose-rules');

const root = join(__dirname, '..');
const CODE = /\.(ts|js|cjs|mjs)$/;
const HASH_COMMENTS = /(\.(ya?ml|sh|toml|py)|Dockerfile|\.ci\/run|CODEOWNERS|\.editorconfig|\.gitattributes)$/;

/**
 * The pieces of a file that are checked. A piece is `{ kind: 'prose' | 'name', text, offset }`, where `offset` is its
 * position in the file.
 */
function piecesOf(file, source) {
  if (CODE.test(file)) return piecesOfCode(source);
  if (file.endsWith('.md')) return piecesOfMarkdown(source);
  if (file.endsWith('.sql')) return commentLines(source, /--(.*)$/gm);
  if (HASH_COMMENTS.test(file)) return commentLines(source, /(?:^|\s)#(.*)$/gm);
  return [];
}

function piecesOfCode(source) {
  const { tokens, comments } = parse(source, {
    sourceType: 'unambiguous',
    allowReturnOutsideFunction: true,
    errorRecovery: true,
    plugins: ['typescript'],
    tokens: true,
  });
  const pieces = comments.map(({ value, start }) => ({ kind: 'prose', text: value, offset: start + 2 }));
  for (const { type, value, start, end } of tokens) {
    const label = type.label;
    if (label === 'name' || label === '#name') pieces.push({ kind: 'name', text: String(value), offset: start });
    // A literal without a space is a code, a key or a path and not a sentence.
    const isText = label === 'string' || label === 'template';
    if (isText && /\s/.test(source.slice(start, end).trim())) {
      pieces.push({ kind: 'prose', text: source.slice(start, end), offset: start });
    }
  }
  return pieces;
}

/** Text outside of fenced code. Code spans and link targets are blanked, so that positions stay. */
function piecesOfMarkdown(source) {
  const blank = (text) => text.replace(/[^\n]/g, ' ');
  const text = source
    .replace(/^```[\s\S]*?^```/gm, blank)
    .replace(/`[^`\n]*`/g, blank)
    .replace(/\]\([^)\s]*\)/g, blank)
    .replace(/<!--[\s\S]*?-->/g, blank);
  return [{ kind: 'prose', text, offset: 0 }];
}

function commentLines(source, pattern) {
  return [...source.matchAll(pattern)].map((match) => ({
    kind: 'prose',
    text: match[1],
    offset: match.index + match[0].length - match[1].length,
  }));
}

/** Findings in one piece. A line break inside a comment counts as one space. */
function findingsIn({ kind, text, offset }) {
  const flat = text.replace(/\n([ \t]*(\*|\/\/) ?)?/g, (gap) => ' '.padEnd(gap.length));
  const rules = kind === 'name' ? NAMES : PROSE;
  return rules.flatMap(({ find, use }) =>
    [...flat.matchAll(globally(find))].map((match) => ({
      at: offset + match.index,
      word: match[0].trim().replace(/\s+/g, ' '),
      use,
    })),
  );
}

function globally(pattern) {
  const spaced = pattern.source.replaceAll(' ', '\\s+');
  return new RegExp(spaced, `${pattern.flags.replace('g', '')}g`);
}

function isExcepted(file, word) {
  return EXCEPTIONS.some(
    (exception) => exception.file.test(file) && (exception.word === undefined || exception.word.test(word)),
  );
}

function findingsOf(file, source) {
  const names = NAMES.filter(({ find }) => find.test(camelCase(file))).map(({ use }) => ({ at: 0, word: file, use }));
  const inside = piecesOf(file, source)
    .flatMap(findingsIn)
    .sort((left, right) => left.at - right.at);
  return [...names, ...inside]
    .filter(({ word }) => !isExcepted(file, word))
    .map(({ at, word, use }) => ({ ...position(source, at), word, use }));
}

function camelCase(path) {
  return path.replace(/-([a-z])/g, (_match, letter) => letter.toUpperCase());
}

function position(source, at) {
  const before = source.slice(0, at);
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') };
}

function trackedFiles(paths) {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...paths], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  return listed.split('\0').filter((file) => file !== '' && existsSync(join(root, file)));
}

function main() {
  const paths = process.argv.slice(2).map((path) => relative(root, resolve(path)) || '.');
  let count = 0;
  for (const file of trackedFiles(paths)) {
    // A release that was shipped stays as it was.
    if (/\.(png|gz|lock)$/.test(file) || file.includes('/fixtures/previous-release/')) continue;
    for (const { line, column, word, use } of findingsOf(file, readFileSync(join(root, file), 'utf8'))) {
      count += 1;
      process.stdout.write(`${file}:${line}:${column}  "${word}"  use: ${use}\n`);
    }
  }
  if (count > 0) process.stdout.write(`${count} findings\n`);
  process.exitCode = count > 0 ? 1 : 0;
}

if (require.main === module) main();

module.exports = { findingsOf };
