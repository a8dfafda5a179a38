// The report's page: filters and pages over the index; thumbnails parsed a chunk at a time.
// All text reaches the page as text (textContent), never as markup.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("index").textContent);
  const lower = data.name.map((name) => name.toLowerCase());
  const order = data.name.map((_, at) => at);
  const parsed = new Map(); // chunk number -> cards; the last few only
  const view = { states: new Set(), kind: -1, search: "", page: 0, shown: order, focus: 0 };

  const make = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  function chunk(number) {
    if (parsed.has(number)) return parsed.get(number);
    const block = $("chunk-" + number);
    // While the file is still being read the last block may be there in part only.
    if (!block || (document.readyState === "loading" && !block.nextElementSibling)) return null;
    const cards = JSON.parse(block.textContent);
    parsed.set(number, cards);
    if (parsed.size > 12) parsed.delete(parsed.keys().next().value);
    return cards;
  }

  function picture(kind, encoded, name) {
    const box = make("div", kind);
    if (encoded) {
      const image = make("img");
      image.alt = kind + ": " + name;
      image.src = "data:image/webp;base64," + encoded;
      box.append(image);
    } else {
      box.append(make("span", "none", "no picture"));
    }
    return box;
  }

  function link(href, text) {
    const made = make("a", "", text);
    made.href = href;
    made.target = "_blank";
    made.rel = "noopener noreferrer";
    return made;
  }

  function filled(item, at, card) {
    const state = data.states[data.state[at]];
    const name = data.name[at];
    const pair = make("div", "pair");
    pair.append(picture("before", card.before, name), picture("after", card.after, name));
    const facts = make("p", "facts");
    facts.append(make("span", "state", state));
    const said = [card.pixels, card.bytes && Math.round(card.bytes / 1024) + " kB", card.model,
      card.confidence !== undefined && "confidence " + card.confidence.toFixed(2),
      card.ms && card.ms + " ms", card.attempts && card.attempts + " attempts"];
    facts.append(said.filter(Boolean).join(", "));
    const reasons = make("ul", "reasons");
    for (const line of [card.error, ...(card.reasons || [])]) if (line) reasons.append(make("li", "", line));
    const links = make("div", "links");
    if (card.output) links.append(link(card.output, "result"));
    if (card.input) links.append(link(card.input, "photograph"));
    if (card.before) {
      const button = make("button", "", "Correct");
      button.type = "button";
      button.addEventListener("click", () => correct(at, card));
      links.append(button);
    }
    item.replaceChildren(pair, make("p", "name", name), facts, reasons, links);
    item.removeAttribute("aria-busy");
  }

  function show(focus) {
    const pages = Math.max(1, Math.ceil(view.shown.length / data.chunk));
    view.page = Math.min(Math.max(view.page, 0), pages - 1);
    const from = view.page * data.chunk;
    const missing = [];
    const items = view.shown.slice(from, from + data.chunk).map((at, place) => {
      const item = make("li", data.states[data.state[at]]);
      item.tabIndex = place === view.focus ? 0 : -1;
      item.dataset.at = at;
      item.setAttribute("aria-posinset", from + place + 1);
      item.setAttribute("aria-setsize", view.shown.length);
      const cards = chunk(Math.floor(at / data.chunk));
      if (cards) {
        filled(item, at, cards[at % data.chunk]);
      } else {
        item.setAttribute("aria-busy", "true");
        item.append(make("p", "name", data.name[at]));
        missing.push([item, at]);
      }
      return item;
    });
    $("cards").replaceChildren(...items);
    $("page").textContent = "page " + (view.page + 1) + " of " + pages;
    $("previous").disabled = view.page === 0;
    $("next").disabled = view.page === pages - 1;
    $("count").textContent = view.shown.length + " of " + data.name.length + " pictures";
    if (focus) focused(view.focus);
    if (missing.length) setTimeout(fill, 50, missing);
  }

  function fill(missing) {
    const left = missing.filter(([item, at]) => {
      if (!item.isConnected) return false;
      const cards = chunk(Math.floor(at / data.chunk));
      if (cards) filled(item, at, cards[at % data.chunk]);
      return !cards;
    });
    if (left.length && (document.readyState === "loading" || left.length < missing.length)) setTimeout(fill, 50, left);
  }

  function filter() {
    const words = view.search.toLowerCase();
    view.shown = order.filter((at) =>
      (view.states.size === 0 || view.states.has(data.state[at])) &&
      (view.kind < 0 || data.reasons[at].includes(view.kind)) &&
      (words === "" || lower[at].includes(words)));
    view.page = 0;
    view.focus = 0;
    show(false);
  }

  function focused(place) {
    const items = $("cards").children;
    if (!items.length) return;
    for (const item of items) item.tabIndex = -1;
    view.focus = Math.min(Math.max(place, 0), items.length - 1);
    items[view.focus].tabIndex = 0;
    items[view.focus].focus();
  }

  function step(by) {
    const here = $("cards").contains(document.activeElement);
    const goal = here ? view.focus + by : view.focus;
    const count = $("cards").children.length;
    if (goal >= count && !$("next").disabled) { view.page += 1; view.focus = 0; show(true); }
    else if (goal < 0 && view.page > 0) { view.page -= 1; view.focus = data.chunk - 1; show(true); }
    else focused(goal);
  }

  function turn(by) { view.page += by; view.focus = 0; show(true); }

  function background(name) {
    $("cards").dataset.background = name;
    for (const button of $("backgrounds").children)
      button.setAttribute("aria-pressed", String(button.dataset.background === name));
  }

  // Corrections: points in the thumbnail's pixels, scaled to the photograph's where that is known.
  const points = [];
  let corrected = null;

  function correct(at, card) {
    const image = make("img");
    image.src = "data:image/webp;base64," + card.before;
    image.alt = data.name[at];
    image.draggable = false;
    points.length = 0;
    corrected = { image, size: card.size };
    $("canvas").replaceChildren(image);
    $("correct-name").textContent = data.name[at] + ".nssbg.toml";
    sidecar();
    $("correct").showModal();
  }

  function sidecar() {
    const lists = { keep: [], drop: [] };
    const size = corrected.size || [corrected.image.naturalWidth, corrected.image.naturalHeight];
    for (const span of [...$("canvas").querySelectorAll(".point")]) span.remove();
    for (const [kind, x, y] of points) {
      lists[kind].push("[" + Math.floor(x * size[0]) + ", " + Math.floor(y * size[1]) + "]");
      const span = make("span", "point " + kind);
      span.style.left = 100 * x + "%";
      span.style.top = 100 * y + "%";
      $("canvas").append(span);
    }
    const lines = Object.keys(lists).filter((kind) => lists[kind].length)
      .map((kind) => kind + " = [" + lists[kind].join(", ") + "]");
    if (lines.length) lines.push("size = [" + size[0] + ", " + size[1] + "]");
    $("correct-text").value = lines.join("\n");
  }

  $("canvas").addEventListener("click", (event) => {
    const box = corrected.image.getBoundingClientRect();
    const inside = (value) => Math.min(Math.max(value, 0), 0.9999);
    points.push([document.querySelector("input[name=says]:checked").value,
      inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)]);
    sidecar();
  });
  $("correct-undo").addEventListener("click", () => { points.pop(); sidecar(); });
  $("correct-close").addEventListener("click", () => $("correct").close());

  // Controls.
  const counts = data.states.map(() => 0);
  for (const state of data.state) counts[state] += 1;
  data.states.forEach((name, state) => {
    if (!counts[state]) return;
    const button = make("button", "", name + " " + counts[state]);
    button.type = "button";
    button.dataset.state = name;
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      if (!view.states.delete(state)) view.states.add(state);
      button.setAttribute("aria-pressed", String(view.states.has(state)));
      filter();
    });
    $("states").append(button);
  });
  const often = data.kinds.map(() => 0);
  for (const kinds of data.reasons) for (const kind of kinds) often[kind] += 1;
  data.kinds.map((_, kind) => kind).sort((a, b) => often[b] - often[a]).forEach((kind) => {
    const option = make("option", "", data.kinds[kind] + " (" + often[kind] + ")");
    option.value = kind;
    $("kind").append(option);
  });
  $("kind").addEventListener("change", () => {
    view.kind = $("kind").value === "" ? -1 : Number($("kind").value);
    filter();
  });
  let pause = 0;
  $("search").addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => { view.search = $("search").value; filter(); }, 120);
  });
  for (const button of $("backgrounds").children)
    button.addEventListener("click", () => background(button.dataset.background));
  $("previous").addEventListener("click", () => turn(-1));
  $("next").addEventListener("click", () => turn(1));
  $("cards").addEventListener("focusin", (event) => {
    const item = event.target.closest("#cards > li");
    if (item) view.focus = [...$("cards").children].indexOf(item);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("correct").open) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const names = ["white", "black", "checker", "profile"];
    const item = $("cards").children[view.focus];
    if (event.key >= "1" && event.key <= "4") background(names[event.key - 1]);
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "n" && !$("next").disabled) turn(1);
    else if (event.key === "p" && !$("previous").disabled) turn(-1);
    else if (event.key === "/") $("search").focus();
    else if (event.key === "o" && item) { const to = item.querySelector(".links a"); if (to) to.click(); }
    else if (event.key === "c" && item) { const to = item.querySelector(".links button"); if (to) to.click(); }
    else return;
    event.preventDefault();
  });

  for (const [key, value] of data.summary) {
    const line = make("div");
    line.append(make("dt", "", key), make("dd", "", value));
    $("summary").append(line);
  }
  if (data.background) document.documentElement.style.setProperty("--profile", data.background);
  else $("cards").classList.add("transparent");
  const last = $("backgrounds").lastElementChild;
  last.textContent = "4 " + (data.background ? "profile (" + data.background + ")" : "profile (transparent)");
  show(false);
  document.documentElement.dataset.ready = "yes";
})();
