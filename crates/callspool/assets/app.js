// @ts-check
// The pages' only script: follows the log of events, plays from the list, and keeps times true.
// Without it every page still works; it fetches nothing from anywhere else.

/** No more often than this is a page's part fetched again, however fast events come. */
const REFRESH_MS = 700;

follow();
keepTimesTrue();
playFromTheList();
seekInTheWaveform();
retryInPlace();

/** Fetches the changing part again after events, one request at a time. */
function follow() {
  const { events, fragment } = document.body.dataset;
  const live = document.getElementById("live");
  const state = document.getElementById("follows");
  if (!events || !fragment || !live || !state) return;
  let wanted = false;
  let busy = false;

  async function refresh() {
    wanted = true;
    if (busy) return;
    busy = true;
    while (wanted) {
      wanted = false;
      await exchange(String(fragment), /** @type {HTMLElement} */ (live)).catch(() => say("not reached", false));
      await new Promise((done) => setTimeout(done, REFRESH_MS));
    }
    busy = false;
  }

  /** @param {string} text @param {boolean} alive */
  function say(text, alive) {
    if (!state || (state.textContent === text && state.classList.contains("live") === alive)) return;
    state.textContent = text;
    state.classList.toggle("live", alive);
  }

  const source = new EventSource(events);
  source.onopen = () => say("live", true);
  source.onerror = () => say("reconnecting …", false);
  source.onmessage = refresh;
  document.addEventListener("callspool:changed", refresh);
}

/** @param {string} address @param {HTMLElement} live */
async function exchange(address, live) {
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  if (answer.status === 401) return location.reload();
  if (!answer.ok) throw new Error(String(answer.status));
  const text = await answer.text();
  // Whoever is typing, choosing or selecting in this part is not interrupted; the next event brings it up to date.
  const active = document.activeElement;
  if (live.contains(active) && active?.matches("input, select")) return;
  const focus = live.contains(active) ? active?.getAttribute("href") : null;
  live.innerHTML = text;
  if (focus) live.querySelector(`a[href="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
  markPlaying();
}

/** Rewrites "40 s ago" and "in 3 min" as time goes by. */
function keepTimesTrue() {
  setInterval(() => {
    for (const time of document.querySelectorAll("time")) {
      const seconds = Math.round((Date.parse(time.dateTime) - Date.now()) / 1000);
      const past = time.dataset.due ? "now" : `${rough(-seconds)} ago`;
      const text = seconds > 0 ? `in ${rough(seconds)}` : past;
      if (time.textContent !== text) time.textContent = text;
    }
  }, 1000);
}

/** @param {number} seconds */
function rough(seconds) {
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** Plays what is picked in the list at the foot of the page, and goes on while the list changes. */
function playFromTheList() {
  const player = document.getElementById("player");
  const audio = player?.querySelector("audio");
  const title = player?.querySelector(".title");
  if (!player || !audio || !title) return;
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-play]") : null;
    if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (player.dataset.playing === link.dataset.play && !audio.paused) return audio.pause();
    if (player.dataset.playing !== link.dataset.play) {
      player.dataset.playing = link.dataset.play;
      audio.src = link.href;
      title.replaceChildren(link.closest("tr")?.querySelector(".what .id")?.cloneNode(true) ?? "");
    }
    player.hidden = false;
    audio.play().catch(() => {});
  });
  player.querySelector("button")?.addEventListener("click", () => {
    audio.pause();
    audio.removeAttribute("src");
    delete player.dataset.playing;
    player.hidden = true;
    markPlaying();
  });
  for (const kind of ["play", "pause", "ended"]) audio.addEventListener(kind, markPlaying);
}

function markPlaying() {
  const player = document.getElementById("player");
  const audio = player?.querySelector("audio");
  for (const link of document.querySelectorAll("a[data-play]")) {
    const playing = link instanceof HTMLElement && link.dataset.play === player?.dataset.playing && !audio?.paused;
    link.classList.toggle("playing", playing);
  }
}

/** Lets the large waveform show and set where the player is. */
function seekInTheWaveform() {
  const seek = document.querySelector("[data-seek]");
  const played = seek?.querySelector(".played");
  const audio = document.querySelector(".sound audio");
  if (!seek || !(played instanceof HTMLElement) || !(audio instanceof HTMLAudioElement)) return;
  audio.addEventListener("timeupdate", () => {
    if (audio.duration > 0) played.style.width = `${(100 * audio.currentTime) / audio.duration}%`;
  });
  seek.addEventListener("click", (event) => {
    const box = seek.getBoundingClientRect();
    const part = (/** @type {MouseEvent} */ (event).clientX - box.left) / box.width;
    const go = () => { audio.currentTime = part * audio.duration; };
    if (audio.readyState > 0) go();
    else audio.addEventListener("loadedmetadata", go, { once: true });
    audio.play().catch(() => {});
  });
}

/** Sends a retry without leaving the page. */
function retryInPlace() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.classList.contains("retry")) return;
    event.preventDefault();
    const button = form.querySelector("button");
    if (button) button.disabled = true;
    await fetch(form.action, { method: "POST", redirect: "manual" }).catch(() => {});
    document.dispatchEvent(new Event("callspool:changed"));
  });
}
