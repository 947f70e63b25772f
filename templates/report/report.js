"use strict";
(() => {
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  const form = document.querySelector("form.filter");
  if (!form) return;
  const { text, state, metric } = form.elements;
  const items = all("[data-s]");
  const chunks = all("ul.chunk").map((chunk) => ({ chunk, own: all("[data-s]", chunk) }));
  const shorts = document.querySelector(".shorts");
  const result = form.querySelector(".result");
  const heard = document.querySelector(".heard");
  const none = document.querySelector(".none");
  let words = null;

  const say = (shown) => {
    result.textContent = form.dataset.shown.replace("%shown%", shown).replace("%all%", items.length);
  };

  const filter = () => {
    // Lower case of everything once, and only when someone types.
    if (text.value && !words) words = items.map((item) => item.textContent.toLowerCase());
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    items.forEach((item, place) => {
      const { s, m } = item.dataset;
      const fits =
        (!state.value || state.value.split(" ").includes(s)) &&
        (!metric || !metric.value || m.split(" ").includes(metric.value)) &&
        wanted.every((word) => words[place].includes(word));
      if (item.hidden === fits) item.hidden = !fits;
      if (fits) shown += 1;
    });
    let below = 0;
    for (const { chunk, own } of chunks) {
      chunk.hidden = own.every((item) => item.hidden);
      if (!chunk.hidden) below += 1;
    }
    if (shorts) shorts.hidden = below === 0;
    none.hidden = shown > 0;
    say(shown);
  };

  const reset = () => {
    form.reset();
    filter();
  };

  let waiting = 0;
  form.addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(filter);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  text.addEventListener("keydown", (event) => {
    if (event.key === "Escape") reset();
  });
  none.querySelector("button").addEventListener("click", () => {
    reset();
    text.focus();
  });

  const setOpen = (open) => {
    for (const one of all("details.exp:not([hidden])")) one.open = open;
  };
  form.elements.open.addEventListener("click", () => setOpen(true));
  form.elements.close.addEventListener("click", () => setOpen(false));

  for (const link of all("a[data-state]")) {
    link.addEventListener("click", () => {
      form.reset();
      state.value = link.dataset.state;
      filter();
    });
  }

  // A link to an experiment that is folded or filtered out shows it.
  const arrive = () => {
    let target = null;
    try {
      target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return;
    }
    if (!target || !target.dataset.s) return;
    if (target.hidden) reset();
    if (target.tagName === "DETAILS") {
      target.open = true;
      target.querySelector("summary").focus({ preventScroll: true });
    }
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", arrive);

  const copy = async (value) => {
    try {
      await navigator.clipboard.writeText(value);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = value;
      area.className = "vh";
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };
  for (const line of all(".command")) {
    const code = line.querySelector("code");
    const button = document.createElement("button");
    button.type = "button";
    const name = (word, label) => {
      button.textContent = word;
      button.setAttribute("aria-label", `${label}: ${code.textContent}`);
    };
    name(form.dataset.copy, form.dataset.copyLabel);
    button.addEventListener("click", async () => {
      if (!(await copy(code.textContent))) return;
      name(form.dataset.copied, form.dataset.copied);
      heard.textContent = form.dataset.copied + ": " + code.textContent;
      setTimeout(() => name(form.dataset.copy, form.dataset.copyLabel), 1500);
    });
    line.append(" ", button);
  }

  // One stop of the Tab key for each panel; the arrow keys go from mark to mark, and what a mark says is written below.
  for (const panel of all(".panel")) {
    const marks = all(".mark a", panel);
    const read = panel.querySelector(".read");
    const tell = (mark) => {
      read.textContent = mark.querySelector("title").textContent;
    };
    const stop = (chosen) => {
      for (const mark of marks) mark.setAttribute("tabindex", mark === chosen ? "0" : "-1");
    };
    if (marks.length) stop(marks[marks.length - 1]);
    marks.forEach((mark, place) => {
      mark.addEventListener("mouseenter", () => tell(mark));
      mark.addEventListener("focus", () => tell(mark));
      mark.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1, Home: -marks.length, End: marks.length }[event.key];
        if (!step) return;
        event.preventDefault();
        const next = marks[Math.max(0, Math.min(marks.length - 1, place + step))];
        stop(next);
        next.focus();
      });
    });
  }

  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = all("details.exp:not([open])");
    for (const one of folded) one.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });

  form.hidden = false;
  // A browser may bring back what was typed before a reload.
  if (text.value || state.value || (metric && metric.value)) filter();
  else say(items.length);
  if (location.hash.length > 1) arrive();
})();
