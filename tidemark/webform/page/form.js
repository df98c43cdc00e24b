"use strict";
// Puts Tidemark's start form in the place of Locust's, wherever that appears: on the first page, after
// NEW and after EDIT. Locust's is known by its field for the number of users, is hidden and left
// as it is; whatever goes wrong here, it is shown again. What ours says is posted to /swarm, as Locust's is.

(() => {
  const LOCUSTS_FIELD = '[name="userCount"], [name="user_count"]';
  const PATIENCE_MS = 5000;
  let count = 0;
  let current = null; // the form of ours that stands in the page, or is about to

  function make(kind, attributes, ...content) {
    const element = document.createElement(kind);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== "" && value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...content.filter((one) => one !== "" && one !== null));
    return element;
  }

  const noted = (text) => make("p", { class: "tidemark-hint", hidden: !text }, text);

  // -- a field ------------------------------------------------------------------------------

  const HOLDERS = {
    flag: (said) => make("input", { type: "checkbox", checked: said.value }),
    choice: (said) =>
      make("select", { multiple: said.is_multiple }, ...said.choices.map(([value, label]) =>
        make("option", { value, selected: said.is_multiple ? said.value.split(",").includes(value) : said.value === value }, label))),
    secret: (said) => make("input", { type: "password", value: said.value, autocomplete: "off" }),
    text: (said) => make("input", { type: "text", value: said.value, autocomplete: "off", spellcheck: "false",
      inputmode: said.unit && said.name !== "run_time" ? "decimal" : "" }),
  };

  class Field {
    constructor(said) {
      this.said = said;
      const id = `tidemark-${++count}-${said.name}`;
      this.holder = HOLDERS[said.kind](said);
      this.holder.id = id;
      this.holder.name = said.name;
      this.hint = make("p", { class: "tidemark-hint", id: `${id}-hint` }, said.hint);
      this.hint.hidden = !said.hint;
      this.error = make("p", { class: "tidemark-error", id: `${id}-error`, hidden: true });
      const unit = said.unit ? make("span", { class: "tidemark-unit", id: `${id}-unit` }, said.unit) : null;
      this.describing = [unit && unit.id, this.hint.id].filter(Boolean);
      this.describe(this.error.id);
      const parts = said.kind === "flag"
        ? [make("label", { for: id }, this.holder, make("span", {}, said.label))]
        : [make("label", { for: id }, said.label), make("div", { class: "tidemark-entry" }, this.holder, unit)];
      const classes = ["tidemark-field", said.kind === "flag" && "flag", said.is_wide && "wide"].filter(Boolean).join(" ");
      this.element = make("div", { class: classes }, ...parts, this.hint, this.error);
    }

    get isShown() { return !this.element.hidden; }
    get texts() {
      if (this.said.kind === "flag") return [String(this.holder.checked)];
      if (this.said.is_multiple) return [...this.holder.selectedOptions].map((one) => one.value);
      return [this.holder.value.trim()];
    }
    get isChanged() { return this.isShown && this.texts.join(",") !== String(this.said.usual); }

    // What is posted: what it shows; or what is usual, where it is of no use to the service.
    posted(isOfUse) {
      if (!isOfUse) return [String(this.said.usual)];
      const isUntouched = this.said.untouched !== undefined && this.texts[0] === this.said.value;
      return isUntouched ? [this.said.untouched] : this.texts;
    }

    // What is wrong with it; beside it, or where another field says so that it does not go with.
    complain(message, beside = this) {
      this.error.textContent = beside === this ? message : "";
      this.error.hidden = !message || beside !== this;
      if (message) this.holder.setAttribute("aria-invalid", "true");
      else this.holder.removeAttribute("aria-invalid");
      this.describe(beside.error.id);
      const details = message && this.element.closest("details");
      if (details) details.open = true;
    }

    describe(error) {
      this.holder.setAttribute("aria-describedby", [...this.describing, error].join(" "));
    }
  }

  // -- the form -----------------------------------------------------------------------------

  class Form {
    constructor(said, locusts) {
      this.said = said;
      this.locusts = locusts;
      this.isEdit = !locusts.querySelector('[name="host"]'); // of a run under way: only its users
      this.fields = [];
      this.button = make("button", { type: "submit" }, this.isEdit ? "Update" : "Start");
      this.trouble = make("p", { class: "tidemark-error", role: "alert", hidden: true });
      this.element = make("form", { class: "tidemark-form", novalidate: true, "aria-label": this.isEdit ? "Users of the run" : "Start a run" },
        ...(this.isEdit ? [this.fieldsOf(said.users), noted(said.users_note)] : this.sections()), this.trouble, this.button);
      this.element.addEventListener("input", () => this.follow());
      this.element.addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
      this.follow();
    }

    sections() {
      const [first, ...folded] = this.said.groups;
      const choices = this.said.services.map((one) => [one.name, one.label]);
      this.service = new Field({ name: "tidemark_service", label: "Service", unit: "", hint: " ", kind: "choice", choices,
        value: this.said.service, usual: this.said.service, is_wide: true });
      const top = this.fieldsOf(first);
      top.prepend(this.service.element);
      return [top, noted(this.said.note), ...folded.map((group) => this.folded(group))];
    }

    fieldsOf(group) {
      const fields = group.fields.map((said) => new Field({ ...said, is_wide: said.name === "host" }));
      this.fields.push(...fields);
      const box = make("div", { class: "tidemark-fields" }, ...fields.map((one) => one.element));
      box.fields = fields;
      return box;
    }

    folded(group) {
      const box = this.fieldsOf(group);
      const changed = make("span", { class: "tidemark-changed" });
      const details = make("details", {}, make("summary", {}, `${group.title} `, changed), box);
      details.follow = () => {
        const number = box.fields.filter((one) => one.isChanged).length;
        changed.textContent = number ? `${number} changed` : "";
        details.hidden = box.fields.every((one) => !one.isShown);
      };
      return details;
    }

    get choice() { return this.said.services.find((one) => one.name === this.service.holder.value); }
    isClosed() {
      const workload = this.fields.find((one) => one.said.name === "workload");
      return !workload || workload.holder.value === "closed";
    }
    // Whether a field is of use to the service that is chosen.
    isOfUse(field) {
      const needs = field.said.needs;
      if (field.said.name === "host") return this.choice.name === "other";
      return !needs || needs === "closed" || this.choice.of_use.includes(needs);
    }

    // Shows what is of use to what has been chosen.
    follow() {
      if (this.isEdit) return;
      this.service.hint.textContent = this.choice.hint;
      this.service.hint.hidden = !this.choice.hint;
      for (const field of this.fields) {
        field.element.hidden = !this.isOfUse(field) || (field.said.needs === "closed" && !this.isClosed());
      }
      this.element.querySelectorAll("details").forEach((one) => one.follow());
    }

    body() {
      const body = new URLSearchParams(this.isEdit ? {} : this.choice.posts);
      const ofUse = this.fields.filter((one) => this.isEdit || this.isOfUse(one));
      for (const field of this.fields) {
        const { name } = field.said;
        const isOfUse = ofUse.includes(field);
        if (!isOfUse && (name === "host" || ofUse.some((one) => one.said.name === name))) continue;
        for (const text of field.posted(isOfUse)) body.append(name, text);
      }
      return body;
    }

    async send() {
      if (this.button.getAttribute("aria-disabled")) return;
      this.wait(true);
      this.complain("");
      try {
        const answer = await fetch("./swarm", { method: "POST", body: this.body() });
        if (!answer.ok || answer.redirected) throw new Error(`${answer.status} ${(await answer.text()).slice(0, 200)}`);
        const said = await answer.json();
        if (said.success) return location.reload(); // Locust's page shows a run from its beginning
        this.complain(said.message || "Locust has refused it", said.fields);
      } catch (error) {
        this.complain(`No answer that could be understood: load the page again (${error.message})`);
      }
      this.wait(false);
    }

    wait(isWaiting) {
      this.button.textContent = isWaiting ? "Starting …" : this.isEdit ? "Update" : "Start";
      if (isWaiting) this.button.setAttribute("aria-disabled", "true");
      else this.button.removeAttribute("aria-disabled");
    }

    // The field that stands for an option now; undefined if none that is shown does.
    fieldOf(name) {
      const own = this.fields.find((one) => one.said.name === name && one.isShown);
      return own || (this.said.of_service.includes(name) ? this.service : undefined);
    }

    // Says what is wrong beside the first field that it is about, or above the button.
    complain(message, names = []) {
      for (const field of [...this.fields, ...(this.service ? [this.service] : [])]) field.complain("");
      const [first, ...others] = new Set(names.map((name) => this.fieldOf(name)).filter(Boolean));
      this.trouble.textContent = first ? "" : message;
      this.trouble.hidden = !message || Boolean(first);
      if (!first) return;
      const flag = names.map((name) => `--${name.replaceAll("_", "-")}: `).find((one) => message.startsWith(one)) || "";
      first.complain(message.slice(flag.length));
      for (const other of others) other.complain(message, first);
      first.holder.focus();
    }

    // Takes its place beside Locust's, which React goes on to own.
    show() {
      this.locusts.before(this.element);
      this.locusts.style.display = "none";
      this.paint();
      if (this.element.closest('[role="presentation"], [role="dialog"]')) this.element.querySelector("select, input").focus();
    }

    // Dark or light as the page is, whose switch is Locust's.
    paint() {
      const [red, green, blue] = getComputedStyle(this.element.parentElement).color.match(/[\d.]+/g).map(Number);
      this.element.dataset.scheme = 0.3 * red + 0.6 * green + 0.1 * blue > 128 ? "dark" : "light";
    }
  }

  // -- where Locust's form appears --------------------------------------------------------------

  async function replace(locusts) {
    current = { locusts, element: null };
    locusts.style.visibility = "hidden"; // for the moment that it takes
    try {
      const answer = await fetch("./tidemark/form.json", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!answer.ok) throw new Error(`${answer.status}`);
      const said = await answer.json();
      if (said.is_ours && locusts.isConnected) {
        const form = new Form(said, locusts);
        form.show();
        current = form;
      }
    } catch (error) {
      console.log(`Tidemark's form cannot be shown, Locust's is: ${error.message}`);
    }
    locusts.style.visibility = "";
  }

  function look() {
    if (current && !current.locusts.isConnected) {
      if (current.element) current.element.remove();
      current = null;
    }
    const found = [...document.forms].filter((one) => one.querySelector(LOCUSTS_FIELD) && !one.classList.contains("tidemark-form"));
    const newest = found.at(-1); // what opens over the page stands behind it
    if (newest && (!current || current.locusts !== newest)) replace(newest);
    else if (current && current.paint) current.paint();
  }

  new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
  look();
})();
