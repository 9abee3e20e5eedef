import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const ROOT = join(__dirname, '../..');
const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** The text of a page without code blocks and code spans, where brackets are not links. */
const textOf = (page: string): string =>
  readFileSync(join(ROOT, page), 'utf8')
    .replace(/^```.*?^```/gms, '')
    .replace(/`[^`\n]*`/g, (code) => 'x'.repeat(code.length));

/** Links to files and headings of the repository. Links to other sites are not checked. */
const linksIn = (page: string): string[] =>
  [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));

/** The anchor that a Markdown renderer creates for a heading. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');

const anchorsIn = (path: string): string[] =>
  [
    ...readFileSync(path, 'utf8')
      .replace(/^```.*?^```/gms, '')
      .matchAll(/^#+ (.+)$/gm),
  ].map(([, heading = '']) => anchorOf(heading));

/** The fault of a link, or undefined. */
function faultOf(page: string, target: string): string | undefined {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? join(ROOT, page) : resolve(ROOT, dirname(page), path);
  if (relative(ROOT, file).startsWith('..')) return 'leads out of the project';
  if (!existsSync(file)) return 'leads nowhere';
  if (anchor === undefined || statSync(file).isDirectory()) return undefined;
  return anchorsIn(file).includes(anchor) ? undefined : 'names a heading that is not there';
}

it('links: finds the pages', () => expect(PAGES.length).toBeGreaterThan(20));

it.each(PAGES)('links: resolve in %s', (page) => {
  const broken = linksIn(page).flatMap((target) => {
    const because = faultOf(page, target);
    return because === undefined ? [] : [`${target} ${because}`];
  });
  expect(broken).toEqual([]);
});
