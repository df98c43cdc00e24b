"use strict";
// Dark or light, before anything is drawn: as the browser asks for, or the page that this one is
// shown in.
{
  const asked = matchMedia("(prefers-color-scheme: dark)");
  const setScheme = () => {
    const frame = window.frameElement;
    document.documentElement.dataset.scheme = (frame && frame.dataset.scheme) || (asked.matches ? "dark" : "light");
    document.dispatchEvent(new Event("scheme"));
  };
  asked.addEventListener("change", setScheme);
  window.addEventListener("scheme", setScheme); // told by that page
  if (window.frameElement) document.documentElement.dataset.framed = "";
  setScheme();
}
