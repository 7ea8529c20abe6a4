// Shows the service's time as the events bring it. The address is in the page, so that this file knows no prefix.
"use strict";

const clock = document.getElementById("clock");
const events = new EventSource(clock.dataset.events);
events.addEventListener("time", (event) => {
  clock.textContent = event.data;
  clock.dateTime = event.data;
});
