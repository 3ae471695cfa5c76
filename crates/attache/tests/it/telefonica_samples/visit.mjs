// Opens a page in the machine's Chromium, presses a button if there is one to press, and stays until
// its input ends: `node visit.mjs ADDRESS [BUTTON]`.
import { chromium } from "playwright-core";

const [address, button] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const page = await browser.newPage();
page.on("console", (message) => console.log(message.text()));
page.on("requestfailed", (request) => console.log(request.url(), request.failure().errorText));
await page.goto(address);
if (button) {
  await page.click(button);
}
await new Promise((resolve) => process.stdin.on("end", resolve).resume());
await browser.close();
