// What a line and the ticked lines come to, while quantities are typed; a line whose quantity was changed is ticked by
// itself, one whose box is empty is wanted as advised.
(() => {
  const form = document.querySelector("[data-selection]");
  const sums = form?.querySelector("[data-sums]");
  if (!sums) return;
  const locale = form.dataset.locale;
  const money = new Intl.NumberFormat(locale, { style: "currency", currency: form.dataset.currency, maximumFractionDigits: 0 });
  const whole = new Intl.NumberFormat(locale);
  const everything = form.querySelector("[data-everything]");

  const unitsOf = (row) => {
    const box = row.querySelector(".quantity-box");
    return Number(box.value || box.dataset.advised) || 0;
  };
  const costOf = (row) => unitsOf(row) * Number(row.dataset.unitCost);

  function show() {
    const sum = { lines: 0, units: 0, money: 0, worth: 0 };
    if (everything?.checked) {
      for (const name of Object.keys(sum)) sum[name] = Number(everything.dataset[name]);
    } else {
      form.querySelectorAll("[data-line]").forEach((row) => {
        if (!row.querySelector("input[name=line]").checked) return;
        sum.lines += 1;
        sum.units += unitsOf(row);
        sum.money += costOf(row);
        sum.worth += Number(row.dataset.worth);
      });
    }
    sums.textContent = !sum.lines ? sums.dataset.wordsNone : sums.dataset.wordsSome
      .replace("{lines}", whole.format(sum.lines)).replace("{units}", whole.format(sum.units))
      .replace("{money}", money.format(sum.money)).replace("{worth}", money.format(sum.worth));
  }

  function mark(box) {
    const isChanged = box.value !== box.dataset.advised;
    box.classList.toggle("is-changed", isChanged);
    return isChanged;
  }

  function price(row) {
    row.querySelector("[data-cost]").textContent = money.format(costOf(row));
  }

  form.addEventListener("input", (event) => {
    const box = event.target.closest(".quantity-box");
    const row = box?.closest("[data-line]");
    if (box && mark(box)) row.querySelector("input[name=line]").checked = true;
    if (box) price(row);
    show();
  });
  form.addEventListener("change", show);
  window.addEventListener("pageshow", show);
  form.querySelectorAll(".quantity-box").forEach((box) => {
    if (mark(box)) price(box.closest("[data-line]"));
  });
  show();
})();
