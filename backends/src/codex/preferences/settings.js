// Lets the chosen theme show at once: the gateway remembers preferences for a few minutes, and forgets them when asked.
// Without this script the form works as well; the change then shows when the gateway asks Codex again.
"use strict";

const form = document.getElementById("settings");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      credentials: "same-origin",
      body: new URLSearchParams(new FormData(form)),
    });
    // Accepted forms lead elsewhere. A refused one is sent again by the browser itself, which then shows why.
    if (answer.ok && answer.redirected) {
      await fetch("/api/invalidate-cache", { method: "POST", credentials: "same-origin" });
      location.assign(answer.url);
      return;
    }
  } catch {
    // No connection: the browser shows that better than we could.
  }
  form.submit();
});
