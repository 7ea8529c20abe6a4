'use strict';
const count = document.getElementById('count');
fetch(count.dataset.api, {
  method: 'POST',
  credentials: 'same-origin',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ text: 'written by a script' }),
})
  .then((response) => response.json())
  .then((answer) => { count.textContent = `${answer.count} notes`; });
const events = document.getElementById('events');
const source = new EventSource(events.dataset.url);
source.onmessage = (event) => {
  events.textContent += `${event.data};`;
  fetch(events.dataset.next, { method: 'POST', credentials: 'same-origin' });
};
source.onerror = () => source.close();
