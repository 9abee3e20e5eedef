import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const ROOT = join(__dirname, '../..');
const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** Without what stands in fences and in code, where brackets are no links. */
const textOf = (page: string): string =>
  readFileSync(join(ROOT, page), 'utf8')
    .replace(/^```.*?^```/gms, '')
    .replace(/`[^`\n]*`/g, (code) => 'x'.repeat(code.length));

/** Links to other files and to headings; addresses of other sites are not ours to keep. */
const linksIn = (page: string): string[] =>
  [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));

/** A heading's anchor as a reader of Markdown makes it. */
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

/** What is wrong with a link, or undefined. */
function brokenBecause(page: string, target: string): string | undefined {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? join(ROOT, page) : resolve(ROOT, dirname(page), path);
  if (relative(ROOT, file).startsWith('..')) return 'leads out of the project';
  if (!existsSync(file)) return 'leads nowhere';
  if (anchor === undefined || statSync(file).isDirectory()) return undefined;
  return anchorsIn(file).includes(anchor) ? undefined : 'names a heading that is not there';
}

it('there are pages to look at', () => expect(PAGES.length).toBeGreaterThan(20));

it.each(PAGES)('every link in %s leads somewhere', (page) => {
  const broken = linksIn(page).flatMap((target) => {
    const because = brokenBecause(page, target);
    return because === undefined ? [] : [`${target} ${because}`];
  });
  expect(broken).toEqual([]);
});
