for (const code of document.querySelectorAll("pre"))
  code.textContent = code.textContent.replace("http://localhost:8080", location.origin);
const box = document.getElementById("search");
const parts = [...document.querySelectorAll("[data-text]")];
const show = () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const part of parts) part.hidden = !words.every((word) => part.dataset.text.includes(word));
  for (const group of document.querySelectorAll("section"))
    group.hidden = ![...group.querySelectorAll("[data-text]")].some((part) => !part.hidden);
};
const open = () => {
  const found = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (found && found.tagName === "DETAILS") found.open = true;
};
if (box) box.addEventListener("input", show);
addEventListener("hashchange", open);
open();
addEventListener("keydown", (event) => {
  if (box && event.key === "/" && document.activeElement !== box) { event.preventDefault(); box.focus(); }
});
