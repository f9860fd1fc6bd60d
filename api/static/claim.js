// Keeps a claim alive while its page is visible, and says so when it is about to end or has ended.
const BEAT_MS = 120_000;
const WARN_MS = 120_000;

export function wireClaim(item) {
  if (!item) return;
  const live = document.getElementById("live");
  let expires = Date.parse(item.dataset.expires);
  let warned = false;

  async function renew() {
    const body = new URLSearchParams({ token: item.dataset.token, csrf: item.dataset.csrf });
    const answer = await fetch(`/cases/${item.dataset.case}/renew`, { method: "POST", body }).catch(() => null);
    if (answer?.ok) {
      expires = Date.parse((await answer.json()).expires_at);
      warned = false;
    } else if (answer?.status === 409) {
      say(item.dataset.lost);
      clearInterval(beating);
      clearInterval(watching);
    }
  }

  function say(text) {
    live.textContent = text;
    live.className = "notice";
  }

  const beating = setInterval(() => {
    if (document.visibilityState === "visible") renew();
  }, BEAT_MS);
  const watching = setInterval(() => {
    if (!warned && expires - Date.now() < WARN_MS) {
      warned = true;
      say(item.dataset.warning);
    }
  }, 5_000);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") renew();
  });
}
