// Expiry without loss: says before a session ends, notices when it has ended, and lets its person sign in again in a
// window of its own while the page stays as it is. It sends nothing again by itself. No dependencies.
(function () {
  'use strict';
  var notice = document.getElementById('session-notice');
  var person = document.querySelector('#side-panel [data-session-user]');
  if (!notice || !person) return;
  // Whom this page was made for, as a digest.
  var user = person.getAttribute('data-session-user');
  var LEAD = 120e3, KEY = 'hivematrix-session', DONE = '/sessions/signed-in';
  var ask = window.fetch, until = 0, asked = 0, state = '', hidden = false, ended = false, waiting = 0, timer, soon;
  var channel = window.BroadcastChannel && new BroadcastChannel(KEY);

  function tell(message) {
    if (channel) channel.postMessage(message);
  }

  // Storage may be forbidden; then each page asks.
  function remember(time) {
    try {
      localStorage.setItem(KEY, user + ' ' + time);
    } catch (e) { /* Not remembered, then. */ }
  }

  function remembered() {
    try {
      var parts = (localStorage.getItem(KEY) || '').split(' ');
      return parts[0] === user ? Number(parts[1]) : 0;
    } catch (e) {
      return 0;
    }
  }

  function button(text, act) {
    var made = document.createElement('button');
    made.type = 'button';
    made.className = 'side-panel__notice-button';
    made.textContent = text;
    made.addEventListener('click', act);
    return made;
  }

  // A link, so that it works where windows are blocked; absolute, because a page may have a <base>.
  function signIn(text) {
    var link = document.createElement('a');
    link.className = 'side-panel__notice-button side-panel__notice-button--primary';
    link.href = location.origin + '/login?again=1&next=' + encodeURIComponent(DONE);
    link.target = '_blank';
    link.rel = 'noopener';
    link.textContent = text;
    link.addEventListener('click', function (event) {
      var opened = window.open(link.href, 'hivematrix-sign-in', 'popup,width=520,height=720');
      if (opened) {
        opened.opener = null;
        event.preventDefault();
      }
      waiting = Date.now() + 600e3;
      plan();
    });
    return link;
  }

  function say(now, text, parts) {
    if (state === now) return;
    state = now;
    notice.textContent = '';
    if (!text) return;
    var line = document.createElement('p');
    line.textContent = text;
    notice.appendChild(line);
    (parts || []).forEach(function (part) { notice.appendChild(part); });
  }

  function dismiss() {
    hidden = true;
    say('', '');
  }

  function over() {
    say('over', 'Your session has ended. This page stays as it is: sign in again and go on.', [signIn('Sign in again'), button('Not now', dismiss)]);
  }

  function warn() {
    if (hidden || state === 'warn') return;
    var time = new Date(until).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    say('warn', 'Your session ends at ' + time + '.', [signIn('Stay signed in'), button('Not now', dismiss)]);
  }

  function learn(answer, first) {
    if (answer.user && answer.user !== user) {
      // Somebody else sits here now. Never by reload(), which could send a form again.
      location.replace(location.pathname + location.search);
      return;
    }
    // Of an end only once, or tabs would keep each other awake.
    if (first && (answer.user || !ended)) tell({ user: answer.user, left: answer.expires_in });
    ended = !answer.user;
    if (ended) {
      until = 0;
      remember(0);
      over();
    } else {
      until = Date.now() + answer.expires_in * 1000;
      remember(until);
      if (until - Date.now() <= LEAD) {
        warn();
      } else {
        if (state === 'over' || waiting) {
          say('back', 'You are signed in again.');
          setTimeout(function () { if (state === 'back') say('', ''); }, 8000);
        } else if (state === 'warn') {
          say('', '');
        }
        hidden = false;
        waiting = 0;
      }
    }
    plan();
  }

  function look() {
    asked = Date.now();
    clearTimeout(soon);
    soon = 0;
    ask.call(window, location.origin + '/api/session', { credentials: 'same-origin', cache: 'no-store', headers: { Accept: 'application/json' } })
      .then(function (answer) { return answer.ok ? answer.json() : null; })
      .then(function (answer) { if (answer) learn(answer, true); else plan(); })
      .catch(plan);
  }

  function plan() {
    var now = Date.now(), left = until - now;
    clearTimeout(timer);
    if (waiting > now) timer = setTimeout(look, 2000);
    else if (until) timer = setTimeout(look, left > LEAD ? Math.min(left - LEAD, 3600e3) : Math.max(1000, Math.min(left + 500, 15e3)));
  }

  // Something says that the session may be another one: asks, but not for each of a hundred answers.
  function doubt() {
    if (!soon) soon = setTimeout(look, Math.max(50, asked + 2000 - Date.now()));
  }

  // An answer of the gateway's own: a service may have its reasons for a 401, and the gateway is asked in any case.
  function refused(status, type, url) {
    return status === 401 && /^application\/problem\+json/.test(type || '') && url.indexOf(location.origin + '/') === 0;
  }

  // Proxies, so that the page finds its functions unchanged: name, length, properties, promises, errors.
  if (ask && window.Proxy) {
    window.fetch = new Proxy(ask, {
      apply: function (target, self, parts) {
        var promise = Reflect.apply(target, self, parts);
        return promise.then(function (answer) {
          if (refused(answer.status, answer.headers.get('content-type'), answer.url)) doubt();
          return answer;
        });
      }
    });
    XMLHttpRequest.prototype.send = new Proxy(XMLHttpRequest.prototype.send, {
      apply: function (target, request, parts) {
        request.addEventListener('load', function () {
          if (refused(request.status, request.getResponseHeader('content-type'), request.responseURL)) doubt();
        });
        return Reflect.apply(target, request, parts);
      }
    });
  }

  if (channel) {
    channel.onmessage = function (event) {
      var message = event.data || {};
      if (message.user === user && typeof message.left === 'number') learn({ user: user, expires_in: message.left });
      else doubt();
    };
  }
  document.addEventListener('visibilitychange', function () {
    if (!document.hidden) doubt();
  });
  addEventListener('pageshow', function (event) {
    if (event.persisted) doubt();
  });

  if (location.pathname === DONE) {
    tell({ user: user });
    setTimeout(function () { window.close(); }, 300);
    return;
  }
  until = remembered();
  if (until - Date.now() > LEAD) plan();
  else look();
})();
