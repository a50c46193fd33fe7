// Copies the console's third-party files from the installed packages into a folder that is not committed.
import { copyFileSync, mkdirSync } from "node:fs";

const target = "node_modules/.hub-static/vendor";
mkdirSync(target, { recursive: true });
for (const [from, to] of [
  ["@tabler/core/dist/css/tabler.min.css", "tabler.min.css"],
  ["htmx.org/dist/htmx.min.js", "htmx.min.js"],
]) {
  copyFileSync(`node_modules/${from}`, `${target}/${to}`);
}
