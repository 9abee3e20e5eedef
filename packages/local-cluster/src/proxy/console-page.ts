/** The interim console page: the state of both regions as the edge sees it. It reads `/console/status.json` every second. */
export const CONSOLE_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evergrant</title>
<style>
  :root { color-scheme: light dark; --ink: #16241c; --soft: #5c6b62; --paper: #f6f8f5; --card: #fff; --line: #dfe6e0;
    --green: #1d7a46; --red: #b3372f; --amber: #96690f; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6eee8; --soft: #93a399; --paper: #101612; --card: #18201b;
    --line: #2a352e; --green: #5ec48a; --red: #ee8a80; --amber: #e0b558; } }
  * { box-sizing: border-box; }
  body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
  main { max-width: 52rem; margin: 0 auto; padding: 3rem 1.25rem; }
  h1 { margin: 0; font-size: 1.5rem; letter-spacing: -.01em; }
  p { color: var(--soft); margin: .25rem 0 2rem; }
  .regions { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); }
  article { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem; }
  article h2 { margin: 0 0 .75rem; font-size: 1.1rem; display: flex; justify-content: space-between; gap: 1rem; }
  .tag { font-size: .75rem; font-weight: 500; color: var(--soft); border: 1px solid var(--line); border-radius: 1rem;
    padding: .1rem .6rem; }
  .alarm { margin: 0 0 1rem; padding: .6rem 1rem; border-radius: .5rem; background: var(--red); color: #fff; font-weight: 700; }
  .state { font-weight: 600; } .granting { color: var(--green); } .gone { color: var(--red); } .waiting { color: var(--amber); }
  dl { display: grid; grid-template-columns: auto 1fr; gap: .15rem 1rem; margin: .75rem 0 0; font-size: .9rem; }
  dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
  footer { margin-top: 2rem; font-size: .85rem; color: var(--soft); }
</style>
</head>
<body>
<main>
  <h1>Evergrant</h1>
  <p>License servers that keep granting licenses when a region fails.</p>
  <p class="alarm" id="alarm" role="alert" hidden>NO REGION GRANTS</p>
  <div class="regions" id="regions" aria-live="polite"></div>
  <footer id="note">This page shows the state of both regions and refreshes every second.</footer>
</main>
<script>
const names = { oregon: 'Oregon', virginia: 'Virginia' };
const make = (tag, text, className) => {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  return node;
};
function card(region, status, target) {
  const article = document.createElement('article');
  const heading = make('h2', names[region] || region);
  if (region === target) heading.append(make('span', 'public address', 'tag'));
  const answer = status.said || {};
  const state = !status.reachable || !('granting' in answer) ? ['does not answer', 'gone']
    : answer.granting ? ['grants licenses', 'granting'] : ['does not grant', 'waiting'];
  const facts = document.createElement('dl');
  const rows = { server: answer.server, epoch: answer.epoch,
    'active region': names[answer.activeRegion] || answer.activeRegion,
    reason: answer.reason || answer.detail || status.because };
  for (const [term, value] of Object.entries(rows)) {
    if (value !== undefined && value !== null) facts.append(make('dt', term), make('dd', String(value)));
  }
  article.append(heading, make('div', state[0], 'state ' + state[1]), facts);
  return article;
}
async function refresh() {
  const note = document.getElementById('note');
  try {
    const view = await (await fetch('/console/status.json', { cache: 'no-store' })).json();
    document.getElementById('regions').replaceChildren(
      ...Object.entries(view.regions).map(([region, status]) => card(region, status, view.target)));
    const grants = Object.values(view.regions).some(({ said }) => said && said.granting === true);
    document.getElementById('alarm').hidden = grants;
    note.textContent = 'This page shows the state of both regions and refreshes every second.';
  } catch {
    note.textContent = 'The edge does not answer. The page tries again every second.';
  }
  setTimeout(refresh, 1000);
}
refresh();
</script>
</body>
</html>
`;
