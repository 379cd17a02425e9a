// What every page does: menus, the drawer on a phone, questions before what cannot be undone, filters, copying.
(() => {
  const closeMenus = (except) => document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (menu !== except) menu.open = false;
  });
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const open = document.querySelector("details.menu[open]");
      closeMenus();
      if (open) open.querySelector("summary").focus();
      closeDrawer();
    }
    const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector("[data-search]");
      if (search) { event.preventDefault(); search.focus(); }
    }
  });

  const drawer = document.getElementById("sidebar");
  const opener = document.querySelector("[data-menu]");
  function closeDrawer() {
    if (!drawer || !drawer.classList.contains("is-open")) return;
    drawer.classList.remove("is-open");
    opener.setAttribute("aria-expanded", "false");
    opener.focus();
  }
  if (drawer && opener) {
    opener.setAttribute("role", "button");
    opener.setAttribute("aria-expanded", "false");
    opener.addEventListener("click", (event) => {
      event.preventDefault();
      drawer.classList.add("is-open");
      opener.setAttribute("aria-expanded", "true");
      drawer.querySelector("a, summary, button").focus();
    });
    document.querySelectorAll("[data-menu-close], .sidebar-shade").forEach((closer) =>
      closer.addEventListener("click", (event) => { event.preventDefault(); closeDrawer(); }));
  }

  // A form or a button with data-confirm asks first; so does anything with hx-confirm.
  const dialog = document.getElementById("confirm");
  function ask(question, label, goOn) {
    const yes = dialog.querySelector("[data-yes]");
    dialog.querySelector("[data-question]").textContent = question;
    yes.textContent = label || yes.dataset.yesDefault;
    dialog.returnValue = "no";
    dialog.onclose = () => { if (dialog.returnValue === "yes") goOn(); };
    dialog.showModal();
  }
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const asker = event.submitter?.dataset.confirm ? event.submitter : form;
    if (!asker.dataset.confirm || form.dataset.confirmed) {
      delete form.dataset.confirmed;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const submitter = event.submitter;
    ask(asker.dataset.confirm, asker.dataset.confirmYes, () => {
      form.dataset.confirmed = "yes";
      form.requestSubmit(submitter);
    });
  }, true);
  document.addEventListener("htmx:confirm", (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    ask(event.detail.question, event.target.dataset.confirmYes, () => event.detail.issueRequest(true));
  });

  // A filter bar sends itself when a select changes; without its empty fields, so that the address stays short.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-filters]");
    if (form && event.target.matches("select, input[type=checkbox], input[type=date]")) form.requestSubmit();
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-filters]")) return;
    event.target.querySelectorAll("input, select").forEach((field) => { field.disabled = field.disabled || !field.value; });
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-filters] :disabled")
    .forEach((field) => { field.disabled = false; }));

  // One box that ticks all the others of its table.
  document.addEventListener("change", (event) => {
    const all = event.target.closest("[data-check-all]");
    if (all) document.querySelectorAll(`input[type=checkbox][name="${all.dataset.checkAll}"]`).forEach((box) => {
      if (!box.disabled && box.checked !== all.checked) {
        box.checked = all.checked;
        box.dispatchEvent(new Event("change", { bubbles: true }));
      }
    });
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    const text = "value" in source ? source.value : source.textContent;
    if (navigator.clipboard) navigator.clipboard.writeText(text.trim());
    else { source.focus(); source.select?.(); document.execCommand("copy"); }
    const words = button.querySelector("span") || button;
    const before = words.textContent;
    words.textContent = button.dataset.copied;
    setTimeout(() => { words.textContent = before; }, 1600);
  });

  document.querySelector(".tabs [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
  });


  // A new shop's time zone: the one of the person's machine, while nobody has chosen another.
  document.querySelectorAll("select[data-guess-zone]").forEach((select) => {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!select.value && [...select.options].some((option) => option.value === zone)) select.value = zone;
  });
})();
