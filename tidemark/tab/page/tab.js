"use strict";
// In Locust's own page: shows ours below the tabs while its tab is chosen, and leads to it where
// there are no tabs yet.
(() => {
  const TITLE = "Tidemark";
  const root = document.getElementById("root");
  const holder = document.createElement("section");
  holder.setAttribute("aria-label", TITLE);
  holder.hidden = true;
  const lead = document.createElement("p");
  const link = Object.assign(document.createElement("a"), { href: "tidemark/", textContent: "Runs since Locust was started" });
  lead.append(link);
  lead.hidden = true;
  Object.assign(lead.style, { textAlign: "center", fontFamily: "Roboto, Helvetica, Arial, sans-serif", margin: "16px" });
  let frame = null, hadTabs = true;

  function tabs() {
    return [...root.querySelectorAll("[role=tab]")];
  }

  // Light or dark is chosen in Locust's page, not only in the browser's settings.
  function isDark() {
    const [red, green, blue] = (getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g) || [255, 255, 255]).map(Number);
    return red + green + blue < 384;
  }

  function fit() {
    const page = frame.contentDocument && frame.contentDocument.documentElement;
    if (page && !holder.hidden) frame.style.height = `${Math.max(page.querySelector("body").scrollHeight + 8, 300)}px`;
  }

  function open() {
    frame = Object.assign(document.createElement("iframe"), { src: "tidemark/", title: TITLE });
    Object.assign(frame.style, { border: "0", display: "block", width: "100%", height: "80vh" });
    frame.addEventListener("load", () => {
      new frame.contentWindow.ResizeObserver(fit).observe(frame.contentDocument.body);
      fit();
    });
    holder.append(frame);
  }

  function show(tab) {
    const place = tab.closest(".MuiContainer-root") || document.body;
    if (holder.parentElement !== place) place.append(holder); // the frame loads anew
    if (!frame) open();
    const scheme = isDark() ? "dark" : "light";
    if (frame.dataset.scheme !== scheme) {
      frame.dataset.scheme = frame.style.colorScheme = scheme;
      if (frame.contentWindow) frame.contentWindow.dispatchEvent(new Event("scheme"));
    }
    if (!holder.hidden) return;
    holder.hidden = false;
    // What is not seen does not ask; now it is.
    if (frame.contentDocument) frame.contentDocument.dispatchEvent(new Event("visibilitychange"));
    fit();
  }

  // Where there are no tabs, because the form is there, a link leads to the runs, if there are any.
  function showLead(hasTabs) {
    if (hasTabs === hadTabs) return;
    hadTabs = hasTabs;
    lead.hidden = true;
    if (!hasTabs) fetch("tidemark/runs.json").then((answer) => answer.json()).then(({ runs }) => { lead.hidden = hadTabs || !runs.length; }).catch(() => {});
  }

  function look() {
    const all = tabs();
    const chosen = all.find((tab) => tab.getAttribute("aria-selected") === "true" && tab.textContent.trim() === TITLE);
    if (chosen) show(chosen);
    else holder.hidden = true;
    showLead(all.length > 0 || !root.children.length);
    link.style.color = isDark() ? "#8ab4f8" : "#0b57d0";
  }

  document.body.append(lead);
  new MutationObserver(look).observe(root, { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-selected"] });
  new MutationObserver(look).observe(document.head, { childList: true }); // the theme has changed
  look();
})();
