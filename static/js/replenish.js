// What the ticked lines come to, while quantities are typed; a line whose quantity was changed is ticked by itself.
(() => {
  const form = document.querySelector("[data-selection]");
  const sums = form?.querySelector("[data-sums]");
  if (!sums) return;
  const locale = form.dataset.locale;
  const money = new Intl.NumberFormat(locale, { style: "currency", currency: form.dataset.currency, maximumFractionDigits: 0 });
  const whole = new Intl.NumberFormat(locale);
  const everything = form.querySelector("[data-everything]");

  function show() {
    const sum = { lines: 0, units: 0, money: 0, worth: 0 };
    if (everything?.checked) {
      for (const name of Object.keys(sum)) sum[name] = Number(everything.dataset[name]);
    } else {
      form.querySelectorAll("[data-line]").forEach((row) => {
        if (!row.querySelector("input[name=line]").checked) return;
        const units = Number(row.querySelector(".quantity-box").value) || 0;
        sum.lines += 1;
        sum.units += units;
        sum.money += units * Number(row.dataset.unitCost);
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

  form.addEventListener("input", (event) => {
    const box = event.target.closest(".quantity-box");
    if (box && mark(box)) box.closest("[data-line]").querySelector("input[name=line]").checked = true;
    show();
  });
  form.addEventListener("change", show);
  window.addEventListener("pageshow", show);
  form.querySelectorAll(".quantity-box").forEach(mark);
  show();
})();
