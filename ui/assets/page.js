/* The page's behaviour: markers ↔ marks, the article panel, sheets, tooltips, copying, keeping.

   A marker is a link "#cite-<article>-<start>-<end>" that Python writes into the chat; a mark is a
   <mark data-spans="<start>-<end> …"> that it writes into the article. The two are matched here by
   these names alone, so nothing has to be kept in step. Listeners sit on the document, because
   Gradio redraws what is below it. */
"use strict";

window.askarticle = (() => {
  const KEY = "askarticle.conversation";
  const narrow = matchMedia("(max-width: 900px)");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  let locate = () => {}; // asks the server for another article; set when the pane is ready
  let lit = null; // the citation that is lit: {article, span}
  let opener = null; // what had the focus before the panel opened

  /* ── markers and marks ─────────────────────────────────────────────────────────────────── */

  function parse(link) {
    const found = /^#cite-(.+)-(\d+-\d+)$/.exec(link.getAttribute("href") || "");
    return found && { article: found[1], span: found[2] };
  }

  const shown = () => $("#pane article")?.dataset.article;
  const marksOf = (span) =>
    $$("#pane mark").filter((mark) => mark.dataset.spans.split(" ").includes(span));

  function scrollTo(element, block = "center") {
    element.scrollIntoView({ behavior: calm.matches ? "auto" : "smooth", block });
  }

  function flash(elements) {
    for (const element of elements) {
      element.classList.remove("flash");
      void element.offsetWidth; // restarts the animation
      element.classList.add("flash");
    }
  }

  /* Puts the lasting outline where it belongs; redrawing the pane calls this again. */
  function outline() {
    const marks = lit && shown() === lit.article ? marksOf(lit.span) : [];
    $$("#pane mark.lit").forEach((mark) => mark.classList.remove("lit"));
    marks.forEach((mark) => mark.classList.add("lit"));
    $$("#chat a.lit").forEach((link) => link.classList.remove("lit"));
    return marks;
  }

  function show(target) {
    lit = { ...target, fresh: true };
    openPanel();
    if (shown() === target.article) reveal();
    else locate(target.article); // the redrawn pane calls reveal()
  }

  function reveal() {
    const marks = outline();
    if (!marks.length || !lit.fresh) return;
    lit.fresh = false;
    flash(marks);
    marks[0].focus({ preventScroll: true });
    scrollTo(marks[0]);
  }

  /* From a mark back to the latest answer that cites it. */
  function showAnswers(mark) {
    const spans = mark.dataset.spans.split(" ");
    const links = $$('#chat a[href^="#cite-"]').filter((link) => {
      const target = parse(link);
      return target && target.article === shown() && spans.includes(target.span);
    });
    if (!links.length) return;
    const last = links.at(-1);
    const target = parse(last);
    closePanel();
    lit = target;
    outline();
    links.forEach((link) => link.classList.add("lit"));
    flash(links);
    last.focus({ preventScroll: true });
    scrollTo(last);
  }

  /* ── the article as a panel on narrow screens ──────────────────────────────────────────── */

  function openPanel() {
    if (!narrow.matches || document.body.classList.contains("panel")) return;
    opener = document.activeElement;
    document.body.classList.add("panel");
    $("#talk").inert = true;
    $('#tools [data-pane="close"]')?.focus({ preventScroll: true });
  }

  function closePanel() {
    if (!document.body.classList.contains("panel")) return;
    document.body.classList.remove("panel");
    $("#talk").inert = false;
    opener?.focus?.({ preventScroll: true });
  }

  narrow.addEventListener("change", closePanel);

  /* ── sheets: "add an article" and "remove" ─────────────────────────────────────────────── */

  function sheet(name) {
    const source = $("#source");
    source.dataset.sheet = source.dataset.sheet === name ? "" : name;
    $$("#tools [data-sheet]").forEach((button) =>
      button.setAttribute("aria-expanded", button.dataset.sheet === source.dataset.sheet));
    $(`#${source.dataset.sheet || "none"} :is(textarea, button)`)?.focus();
  }

  /* ── tooltips: the quote of a marker, the reason of a doubt ────────────────────────────── */

  const tip = document.createElement("div");
  tip.id = "tip";
  tip.role = "tooltip";
  tip.hidden = true;

  function showTip(element) {
    // The browser's own tooltip is slow and unknown to the keyboard; ours replaces it.
    if (element.title) {
      element.dataset.tip = element.title;
      element.removeAttribute("title");
    }
    tip.textContent = element.dataset.tip;
    tip.hidden = false;
    element.setAttribute("aria-describedby", "tip");
    const at = element.getClientRects()[0];
    const left = Math.min(at.left, innerWidth - tip.offsetWidth - 12);
    const above = at.top - tip.offsetHeight - 8;
    tip.style.left = `${Math.max(12, left)}px`;
    tip.style.top = `${above > 8 ? above : at.bottom + 8}px`;
  }

  const tipped = (target) => target.closest?.("#chat .message :is([title], [data-tip])");
  const hideTip = () => (tip.hidden = true);

  /* ── messages: what is edited and copied is what was typed and said ────────────────────── */

  const unescape = (markdown) => markdown.replace(/\\([!-/:-@[-`{-~])/g, "$1");

  function asText(markdown) {
    const quotes = new Map();
    let text = markdown.replace(
      /\[<span>\\\[<\/span>(\d+)<span>\\\]<\/span>\]\(#cite-\S+ "([^"]*)"\)/g,
      (_, number, quote) => `[${quotes.set(number, quote) && number}]`);
    text = text.replace(/\[((?:\\.|[^\\\]])*)\]\(#cite-\S+\)/g, "“$1”"); // a closest sentence
    text = unescape(text).replace(/<\/?(p|del|span|a)\b[^>]*>/g, "");
    const notes = [...quotes].map(([label, quote]) => `[${label}] “${quote}”`);
    const area = document.createElement("textarea"); // decodes entities, and runs nothing
    area.innerHTML = [text.trim(), notes.join("\n")].filter(Boolean).join("\n\n");
    return area.value;
  }

  /* Puts the question that was searched into the box, to be changed and asked again. */
  function ask(question) {
    const box = $("#box textarea");
    box.focus();
    box.select();
    document.execCommand("insertText", false, question); // unlike setting it, this can be undone
  }

  let copying = false;
  if (navigator.clipboard) {
    const write = navigator.clipboard.writeText.bind(navigator.clipboard);
    navigator.clipboard.writeText = (text) => {
      const clean = copying ? asText(text) : text;
      copying = false;
      return write(clean);
    };
  }

  /* ── listeners ─────────────────────────────────────────────────────────────────────────── */

  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#cite-"]');
    if (link) {
      event.preventDefault();
      hideTip();
      const target = parse(link);
      if (target) show(target);
      return;
    }
    const again = event.target.closest('#chat a[href="#ask"]');
    if (again) {
      event.preventDefault();
      hideTip();
      return ask(again.textContent);
    }
    const mark = event.target.closest("#pane mark");
    if (mark && !String(getSelection())) return showAnswers(mark);
    const button = event.target.closest("[data-sheet], [data-pane]");
    if (button?.tagName === "BUTTON") {
      if ("sheet" in button.dataset) sheet(button.dataset.sheet);
      else if (button.dataset.pane === "open") openPanel();
      else closePanel();
    }
    if (event.target.id === "backdrop") closePanel();
  });

  document.addEventListener("click", (event) => {
    copying = Boolean(event.target.closest("#chat .message-buttons"));
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      hideTip();
      if ($("#source")?.dataset.sheet) sheet("");
      else closePanel();
    }
    const mark = event.target.closest?.("#pane mark");
    if (mark && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      showAnswers(mark);
    }
  });

  for (const name of ["pointerover", "focusin"]) {
    document.addEventListener(name, (event) => {
      const element = tipped(event.target);
      if (element) showTip(element);
      else if (name === "pointerover") hideTip();
    });
  }
  document.addEventListener("focusout", hideTip);
  document.addEventListener("scroll", hideTip, true);

  function begin() {
    const backdrop = document.createElement("div");
    backdrop.id = "backdrop";
    document.body.append(tip, backdrop);
    // Gradio edits a message's Markdown; the reader edits what they typed.
    new MutationObserver((records) => {
      for (const node of records.flatMap((record) => [...record.addedNodes])) {
        const area = node.nodeType === 1 &&
          (node.matches(".edit-textarea") ? node : $(".edit-textarea", node));
        if (!area) continue;
        area.value = unescape(area.value);
        area.dispatchEvent(new Event("input", { bubbles: true }));
      }
    }).observe(document.body, { childList: true, subtree: true });
  }
  if (document.body) begin();
  else addEventListener("DOMContentLoaded", begin);

  return {
    /* Called by the pane's component once it is on the page. */
    pane(element, ask, watch) {
      locate = ask;
      watch("value", reveal);
    },
    sheet,
    /* The conversation is this tab's own: it survives a reload and ends with the tab. */
    kept: () => sessionStorage.getItem(KEY) || "",
    keep(conversation) {
      try {
        sessionStorage.setItem(KEY, conversation);
      } catch {
        sessionStorage.removeItem(KEY); // too long to keep: a reload begins anew
      }
    },
  };
})();
