// Bundles src/ into movi_prep/pages/bundles; each bundle begins with the checksum of what it was made from.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL("./", import.meta.url));
const sources = ["package-lock.json", ...readdirSync(`${here}src`).map((name) => `src/${name}`)].sort();
const hash = createHash("sha256");
for (const name of sources) hash.update(readFileSync(here + name));
const banner = `/* bundled by web/build.mjs; sources sha256:${hash.digest("hex")} */`;

await build({
  entryPoints: ["viewer.js", "report.js", "viewer.css", "report.css"].map((name) => `${here}src/${name}`),
  outdir: `${here}../movi_prep/pages/bundles`,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome103", "firefox113", "safari16.4"],
  legalComments: "eof",
  banner: { js: banner, css: banner },
});
