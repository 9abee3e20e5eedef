/** One invocation of the bundled handler, in a separate process: BUNDLE REMAINING_MS EVENT ANSWER_FILE. */
const { writeFileSync } = require('node:fs');

const [bundle, remainingMs, event, answerFile] = process.argv.slice(2);
const end = Date.now() + Number(remainingMs);
const { handler } = require(bundle);
// As in Lambda, the invocation lasts until the handler has answered, whatever is still open.
setInterval(() => undefined, 1_000);
handler(JSON.parse(event), { getRemainingTimeInMillis: () => end - Date.now() }).then(
  (answer) => {
    writeFileSync(answerFile, JSON.stringify(answer ?? null));
    process.exit(0);
  },
  (error) => {
    process.stderr.write(`${error?.stack ?? error}\n`);
    process.exit(1);
  },
);
