"use strict";
// Find, choose and sort questions; open the one that a link leads to. Without script the page shows all of them.
const list = document.getElementById("list");
const questions = [...list.children];
const texts = new Map(questions.map((one) => [one, one.querySelector("summary").textContent.toLowerCase()]));
const [find, outcome, kind, order, count] = ["find", "outcome", "kind", "order", "count"].map((id) => document.getElementById(id));

function choose() {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const one of questions) {
    const fits = (!outcome.value || one.dataset.outcome === outcome.value)
      && (!kind.value || one.dataset.kind === kind.value)
      && words.every((word) => texts.get(one).includes(word));
    one.hidden = !fits;
    shown += fits;
  }
  count.textContent = `${shown} of ${questions.length} shown`;
}

function sort() {
  const key = order.value;
  const sign = key === "seconds" ? -1 : 1;
  list.append(...questions.sort((a, b) => sign * (a.dataset[key] - b.dataset[key]) || a.dataset.number - b.dataset.number));
}

function open() {
  const target = document.getElementById(location.hash.slice(1));
  const question = target && target.closest("details.question");
  if (question) {
    question.hidden = false;
    question.open = true;
    target.scrollIntoView();
  }
}

document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());
for (const control of [find, outcome, kind]) control.addEventListener("input", choose);
order.addEventListener("input", sort);
addEventListener("hashchange", open);
document.getElementById("filter").hidden = false;
choose();
open();
