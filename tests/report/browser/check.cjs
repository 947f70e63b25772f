// Looks at a page of the report in a real Chromium: node check.cjs WHAT MODULES CHROMIUM PAGE
// WHAT is works, hostile or large. Says what is wrong and ends with status 1, or prints figures as one line of JSON.
"use strict";
const assert = require("node:assert/strict");
const path = require("node:path");
const { pathToFileURL } = require("node:url");

const [what, modules, executablePath, file] = process.argv.slice(2);
const { chromium } = require(path.join(modules, "playwright-core"));
const axe = require(path.join(modules, "axe-core")).source;
const address = pathToFileURL(file).href;
const args = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"].concat(
  ["--disable-component-update", "--disable-sync"],
);

/** A page that remembers all that it should not do. */
async function open(browser, options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await context.newPage();
  const noises = [];
  page.on("console", (message) => noises.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => noises.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    noises.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    const own = request.url().split("#")[0] === address || request.url() === "data:,";
    if (!own) noises.push(`request: ${request.url()}`);
  });
  page.on("popup", () => noises.push("popup"));
  await page.goto(address);
  const quiet = () => assert.deepEqual(noises, []);
  return { page, quiet, close: () => context.close() };
}

async function accessible(page, when) {
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html).join(" | ")}`);
  });
  assert.deepEqual(violations, [], `axe, ${when}`);
}

const shown = (page) =>
  page.$$eval("[data-s]", (all) => all.filter((one) => !one.hidden && !one.closest("[hidden]")).map((one) => one.id));
const result = (page) => page.textContent(".filter .result");
/** Filters wait for the next frame. */
const frame = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
const wide = (page) => page.evaluate(() => document.documentElement.scrollWidth);

async function works(browser) {
  const { page, quiet, close } = await open(browser);
  const all = await shown(page);
  assert.equal(all.length, 24);
  assert.match(await result(page), /^24 of 24/);

  // The filter: text, state, metric, nothing, and back.
  const text = page.locator(".filter input[name=text]");
  await text.fill("MULTI-stage stays leftovers");
  await frame(page);
  assert.deepEqual(await shown(page), []);
  assert.ok(await page.isVisible(".none"));
  await text.fill("MULTI-stage leftovers");
  await frame(page);
  assert.deepEqual((await shown(page)).sort(), ["x-multi-stage", "x-multi-stage-2", "x-multi-stage-3"]);
  assert.match(await result(page), /^3 of 24/);
  await text.press("Escape");
  await frame(page);
  assert.equal((await shown(page)).length, 24);
  await page.selectOption(".filter select[name=state]", "archived");
  await frame(page);
  assert.deepEqual((await shown(page)).sort(), ["x-squash", "x-squash-2"]);
  await page.selectOption(".filter select[name=state]", "");
  await page.selectOption(".filter select[name=metric]", { label: "image_size" });
  await frame(page);
  assert.equal((await shown(page)).length, 24);
  await page.selectOption(".filter select[name=metric]", "");

  // Keys: the skip link comes first; Enter opens an experiment and closes it.
  await page.reload();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(new URL(page.url()).hash, "#experiments");
  await page.focus("#x-pip-cache > summary");
  await page.keyboard.press("Enter");
  assert.ok(await page.isVisible("#x-pip-cache .because"));
  await page.keyboard.press("Enter");
  assert.ok(!(await page.isVisible("#x-pip-cache .because")));

  // The timeline: one stop of the Tab key for each panel, arrows from mark to mark, Enter goes to the experiment.
  const stops = await page.$$eval(".panel", (panels) => panels.map((one) => one.querySelectorAll(".mark a[tabindex='0']").length));
  assert.deepEqual(stops, [1, 1]);
  await page.focus(".panel .mark a[tabindex='0']");
  const read = () => page.textContent(".panel .read");
  const last = await read();
  await page.keyboard.press("ArrowLeft");
  assert.notEqual(await read(), last);
  await page.keyboard.press("Home");
  assert.match(await read(), /^pip-cache, kept/);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("x-pip-cache").open);
  await page.hover(".panel .mark.gone a", { force: true });
  assert.match(await read(), /^multi-stage, reverted/);

  // A link to what is filtered out shows it.
  await text.fill("nothing has this");
  await frame(page);
  await page.click("#stack a[href='#x-multi-stage']");
  await page.waitForFunction(() => document.getElementById("x-multi-stage").open);
  assert.ok(await page.isVisible("#x-multi-stage .numbers"));

  // Copy.
  await page.click("#x-multi-stage .command button");
  await page.waitForFunction(() => document.querySelector("#x-multi-stage .command button").textContent === "Copied");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "git verdict show multi-stage");
  assert.match(await page.textContent(".heard"), /^Copied: git verdict show multi-stage$/);

  // All of it opened and closed.
  await page.click(".filter button[name=close]");
  assert.equal(await page.$$eval("details.exp[open]", (found) => found.length), 0);
  await accessible(page, "closed");
  await page.click(".filter button[name=open]");
  assert.equal(await page.$$eval("details.exp[open]", (found) => found.length), 24);
  await accessible(page, "open, light");
  assert.equal(await page.getAttribute("#x-pip-cache .facts a", "href").then((link) => link.split("/commit/")[0]),
    "https://gitlab.example.org/group/web/service/-");
  await page.emulateMedia({ colorScheme: "dark" });
  await accessible(page, "open, dark");
  await page.emulateMedia({ forcedColors: "active" });
  await accessible(page, "forced colours");
  await page.emulateMedia({ forcedColors: "none", colorScheme: "light" });
  await page.setViewportSize({ width: 360, height: 740 });
  assert.equal(await wide(page), 360, "no sideways scroll on a phone");
  await accessible(page, "phone");

  // Print: what is folded is printed, what is for the hand is not.
  await page.click(".filter button[name=close]");
  await page.emulateMedia({ media: "print" });
  assert.ok(!(await page.isVisible(".filter")));
  assert.ok((await page.locator("#x-pip-cache .because").boundingBox()).height > 0);
  quiet();
  await close();

  // Without a script everything is there.
  const plain = await open(browser, { javaScriptEnabled: false });
  assert.ok(!(await plain.page.isVisible(".filter")));
  await plain.page.click("#x-pip-cache > summary");
  assert.ok(await plain.page.isVisible("#x-pip-cache .because"));
  assert.ok(await plain.page.isVisible("#x-pip-cache .strip"));
  plain.quiet();
  await plain.close();
  return {};
}

async function hostile(browser) {
  const { page, quiet, close } = await open(browser);
  await page.click(".filter button[name=open]");
  await page.fill(".filter input[name=text]", "script");
  await frame(page);
  assert.ok((await shown(page)).length > 0, "markup is searched as text");
  await page.fill(".filter input[name=text]", "");
  for (const button of await page.$$(".command button")) await button.click();
  for (const mark of await page.$$(".mark a")) await mark.focus();
  const found = await page.evaluate(() => {
    const forbidden = "iframe,img,object,embed,base,link:not([rel=icon]),meta[http-equiv=refresh],foreignObject,animate,set,image,video,audio,marquee,[style],[srcdoc],[formaction]";
    const every = Array.from(document.querySelectorAll("*"));
    const handlers = every.filter((one) => Array.from(one.attributes).some(({ name }) => name.startsWith("on")));
    const links = Array.from(document.querySelectorAll("a")).map((one) => one.getAttribute("href") ?? "");
    return {
      scripts: document.scripts.length,
      styles: document.querySelectorAll("style").length,
      forbidden: Array.from(document.querySelectorAll(forbidden)).map((one) => one.outerHTML),
      handlers: handlers.map((one) => one.outerHTML),
      links: links.filter((link) => !/^(#x-[a-z0-9._-]+|#experiments|https:\/\/gitlab\.example\.org\/group\/web\/service(\/-\/commit\/[0-9a-f]{40})?)$/.test(link)),
      ran: typeof globalThis.pwned,
      invisible: document.body.textContent.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/u),
      literal: document.body.textContent.includes("<script>pwned=1</script>"),
      title: document.title.includes("</title>"),
    };
  });
  assert.deepEqual(found, {
    scripts: 1, styles: 1, forbidden: [], handlers: [], links: [], ran: "undefined", invisible: null, literal: true, title: true,
  });
  await accessible(page, "hostile");
  await page.setViewportSize({ width: 360, height: 740 });
  assert.equal(await wide(page), 360, "no text pushes the page sideways");
  quiet();
  await close();
  return {};
}

async function large(browser) {
  const times = [];
  for (let round = 0; round < 2; round += 1) {
    const { page, quiet, close } = await open(browser);
    await frame(page);
    times.push(
      await page.evaluate(() => {
        const [navigation] = performance.getEntriesByType("navigation");
        const paint = performance.getEntriesByName("first-contentful-paint")[0];
        return { paint: Math.round(paint.startTime), load: Math.round(navigation.loadEventEnd), now: Math.round(performance.now()) };
      }),
    );
    if (round === 0) {
      const all = (await shown(page)).length;
      assert.ok(all > 3000, `only ${all} experiments`);
      await page.fill(".filter input[name=text]", "pip-cache-77");
      await frame(page);
      assert.deepEqual(await shown(page), ["x-pip-cache-77"]);
      assert.ok(await page.isVisible("#x-pip-cache-77"));
      await page.fill(".filter input[name=text]", "");
      await frame(page);
      assert.equal((await shown(page)).length, all);
    }
    quiet();
    await close();
  }
  return { milliseconds: times };
}

(async () => {
  const browser = await chromium.launch({ executablePath, args, chromiumSandbox: false });
  try {
    console.log(JSON.stringify(await { works, hostile, large }[what](browser)));
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(error.stack ?? error);
  process.exitCode = 1;
});
