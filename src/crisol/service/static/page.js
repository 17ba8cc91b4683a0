"use strict";

const byId = (id) => document.getElementById(id);
const digits = (value, n) => (value === null || value === undefined ? "–" : value.toFixed(n));
const tone = { healthy: "good", closed: "good", valid: "good", degraded: "warn", half_open: "warn", inconclusive: "warn", unknown: "warn", unhealthy: "bad", open: "bad", invalid: "bad" };

// Everything shown comes from the service and from diffs: it becomes text, never markup.
function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function rows(id, list, empty) {
  const body = byId(id).tBodies[0];
  body.replaceChildren();
  if (list.length === 0) {
    const cell = element("td", empty);
    cell.colSpan = byId(id).tHead.rows[0].cells.length;
    body.append(element("tr"));
    body.rows[0].append(cell);
    return;
  }
  for (const cells of list) {
    const row = element("tr");
    const names = byId(id).tHead.rows[0].cells;
    for (const [index, [content, className]] of cells.entries()) {
      const cell = element("td", content instanceof Node ? undefined : content, className);
      cell.dataset.name = names[index].textContent;
      if (content instanceof Node) cell.append(content);
      row.append(cell);
    }
    body.append(row);
  }
}

function interval(estimate) {
  const bar = element("div", undefined, "bar");
  if (estimate.value === null) return bar;
  const range = element("i");
  range.style.left = `${100 * estimate.low}%`;
  range.style.width = `${100 * (estimate.high - estimate.low)}%`;
  const mark = element("b");
  mark.style.left = `${100 * estimate.value}%`;
  bar.append(range, mark);
  return bar;
}

function headers() {
  const token = byId("token").value;
  return token ? { authorization: `Bearer ${token}` } : {};
}

async function get(path) {
  const response = await fetch(path, { headers: headers() });
  const content = await response.json();
  if (!response.ok && content.components === undefined) throw new Error(content.detail);
  return content;
}

// The words for what the service names by a key; a key without one is shown as it is.
const parts = { cache: "Cache", trials: "Trial store", model: "Model", rungs: "Error promises", sandbox: "Sandbox", breakers: "Circuit breakers", queue: "Line of wargames", journal: "Trial journal" };
const works = { healthy: "works", degraded: "impaired, answers go on", unhealthy: "does not work" };
const inWords = {
  healthy: "healthy: every part works",
  degraded: "degraded: answers go on, with something missing",
  unhealthy: "unhealthy: answers are missing or not to be trusted",
};

function lasted(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} minutes`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} hours` : `${Math.round(seconds / 86400)} days`;
}

async function showHealth() {
  const report = await get("/health/detailed");
  byId("status").textContent = `${inWords[report.status]}; up for ${lasted(report.uptime_seconds)}`;
  byId("status").className = tone[report.status];
  rows("health", Object.entries(report.components).map(([name, part]) => [[parts[name] ?? name], [works[part.status], tone[part.status]], [part.detail]]));
}

async function offerIds() {
  byId("ids").replaceChildren(...(await get("/wargaming/vulnerabilities")).map((id) => {
    const option = element("option");
    option.value = id;
    return option;
  }));
}

async function showBreakers() {
  const list = await get("/wargaming/breakers");
  rows("breakers", list.map((one) => [[one.name], [one.state.replace("_", " "), tone[one.state]], [String(one.successes), "number"], [String(one.failures), "number"], [String(one.rejections), "number"]]));
}

async function showAccuracy() {
  const report = await get("/wargaming/ml/accuracy?time_range=7d");
  const counts = report.confusion;
  byId("accuracy-note").textContent = `${report.trials} trials, ${report.inconclusive} inconclusive; valid taken for valid ${counts.tp}, wrong taken for valid ${counts.fp}, valid refused ${counts.fn}, wrong refused ${counts.tn}. Weighted by inverse sampling probability.`;
  const names = { accuracy: "accuracy", precision: "precision", recall: "recall", false_accept_rate: "false-accept rate" };
  rows("accuracy", Object.entries(names).map(([key, name]) => {
    const one = report.metrics[key];
    return [[name], [digits(one.value, 3), "number"], [one.value === null ? "–" : `${digits(one.low, 3)} to ${digits(one.high, 3)}`, "number"], [interval(one), "interval"]];
  }));
}

async function showRungs() {
  const report = await get("/wargaming/ab-testing/results?time_range=7d&by=rung");
  const answered = Object.entries(report.groups).filter(([rung]) => rung !== "" && rung !== "wargame");
  rows("rungs", answered.map(([rung, { trials, confusion: counts }]) => [
    [rung], [String(trials), "number"], [`${counts.tp + counts.fp}, ${counts.fp}`, "number"], [`${counts.tn + counts.fn}, ${counts.fn}`, "number"],
  ]), "No answer of a rung was checked yet: A/B testing draws them.");
}

async function showTrials() {
  const list = await get("/wargaming/ab-testing/trials?limit=20");
  rows("trials", list.map((one) => [
    [one.created_at.slice(0, 19).replace("T", " ")], [one.vulnerability], [digits(one.probability, 2), "number"],
    [one.reason ? `${one.outcome}: ${one.reason.replaceAll("_", " ")}` : one.outcome, tone[one.outcome]],
    [one.correct === null ? "–" : one.correct ? "yes" : "no", one.correct === false ? "bad" : ""],
  ]), "No trials yet: a decided patch of a registered vulnerability makes one.");
}

// A wargame's verdict is a fact; what a model says is a guess, and looks like one.
function headline(answer) {
  const chance = answer.probability === null ? "" : `${Math.round(100 * answer.probability)} %`;
  if (answer.advisory || answer.outcome === "unknown") return { guess: true, text: chance ? `Not known. The model guesses: ${chance} that it is valid` : "Not known: nobody could decide" };
  if (answer.decided_by === "model") return { guess: true, text: `Predicted ${answer.outcome}: ${chance} that it is valid` };
  return { guess: false, text: answer.outcome };
}

function showAnswer(answer) {
  const list = element("dl");
  const add = (name, value) => { if (value !== null && value !== "" && value !== undefined) list.append(element("dt", name), element("dd", value)); };
  const shown = headline(answer);
  const box = element("div", undefined, shown.guess ? "guess" : "");
  box.append(element("strong", shown.text, shown.guess ? "" : tone[answer.outcome]), list);
  add("answered by", answer.source === answer.decided_by ? answer.source : `${answer.source}, decided by ${answer.decided_by}`);
  if (shown.guess) add("what to do", answer.advisory || answer.outcome === "unknown" ? "Merge nothing on this: run the wargame." : "The model decides alone only where its errors are bounded; merge after a wargame.");
  add("confidence", digits(answer.confidence, 3));
  add("evidence", answer.evidence);
  add("reason", answer.reason ? answer.reason.replaceAll("_", " ") : "");
  if (answer.detail) {
    const cell = element("dd");
    cell.append(element("pre", answer.detail));
    list.append(element("dt", "detail"), cell);
  }
  add("model", answer.probability === null ? "" : `${digits(answer.probability, 3)} probability of valid, ${answer.model_version}`);
  add("phases", answer.phases.map((phase) => `${phase.name}${phase.reason ? ` (${phase.reason.replaceAll("_", " ")})` : ""} ${digits(phase.ms, 0)} ms`).join(", "));
  add("missing", answer.degraded.join(", "));
  add("took", `${digits(answer.timings.total_ms, 2)} ms`);
  byId("answer").replaceChildren(box);
}

async function ask(event) {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  byId("answer").replaceChildren(element("p", "Deciding …"));
  try {
    const wish = { diff: byId("diff").value, vulnerability: byId("vulnerability").value.trim() || null, cwe: byId("cwe").value.trim() || null };
    const response = await fetch("/wargaming/ml-first", { method: "POST", headers: { "content-type": "application/json", ...headers() }, body: JSON.stringify(wish) });
    const found = await response.json();
    if (response.ok) showAnswer(found);
    else byId("answer").replaceChildren(element("p", `${found.title}: ${found.detail}`, "bad"));
  } catch (error) {
    byId("answer").replaceChildren(element("p", `The service does not answer: ${error.message}`, "bad"));
  } finally {
    button.disabled = false;
  }
  await refresh();
}

async function refresh() {
  for (const show of [showHealth, showBreakers, showAccuracy, showRungs, showTrials]) {
    try {
      await show();
    } catch (error) {
      if (show === showHealth) {
        byId("status").textContent = `no answer: ${error.message}`;
        byId("status").className = "bad";
      }
    }
  }
}

byId("ask").addEventListener("submit", ask);
byId("vulnerability").addEventListener("focus", () => offerIds().catch(() => {}));
refresh();
// The accuracy route allows ten requests a minute.
setInterval(refresh, 15000);
