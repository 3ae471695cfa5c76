// Answers the page that asks for consent as a person with a browser that runs no scripts does: opens an address,
// checks what anybody must find on the page, presses the button with a name, and prints where that leads.
// `node answer.mjs ADDRESS BUTTON CALLBACK WIDTH`
import { chromium } from "playwright-core";

const [address, button, callback, width] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});
const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: Number(width), height: 700 } });
const page = await context.newPage();
page.on("console", (message) => console.log("console:", message.text()));
await page.goto(address);
await page.getByRole("heading", { level: 1 }).waitFor();
const main = await page.locator("main").boundingBox();
if (main.x < 0 || main.x + main.width > Number(width)) {
  console.log("the page is wider than its window");
}
const [request] = await Promise.all([
  page.waitForRequest((request) => request.url().startsWith(callback)),
  page.getByRole("button", { name: button, exact: true }).click(),
]);
console.log("sent to", request.url());
await browser.close();
