// Looks at pages as the tools of people do who see little or nothing: opens each address, in light and in dark and in a
// narrow window, and holds what is there against the rules of WCAG 2.2 AA, by axe. `node inspect.mjs ADDRESS...`
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const axe = await readFile("node_modules/axe-core/axe.min.js", "utf8");
const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});
for (const colorScheme of ["light", "dark"]) {
  // Our pages let no script in, this one neither.
  const context = await browser.newContext({ bypassCSP: true, colorScheme, viewport: { width: 320, height: 700 } });
  const page = await context.newPage();
  for (const address of process.argv.slice(2)) {
    await page.goto(address);
    await page.evaluate(axe);
    const { passes, violations } = await page.evaluate((runOnly) => window.axe.run({ runOnly }), runOnly);
    console.log(`${violations.length} faults by ${passes.length} rules: ${colorScheme} ${page.url()}`);
    for (const { id, help, nodes } of violations) {
      console.log(`  ${id}: ${help}\n    ${nodes.map(({ html }) => html).join("\n    ")}`);
    }
  }
}
await browser.close();
