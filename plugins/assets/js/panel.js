// Behaviour of the side panel: collapse, drawer on narrow screens, light and dark. No dependencies.
(function () {
  'use strict';
  var root = document.documentElement;
  var narrow = matchMedia('(max-width: 48rem)');

  function find(selector) {
    return document.querySelector('#side-panel ' + selector);
  }

  function isOpen() {
    return narrow.matches ? root.classList.contains('sidebar-open') : !root.classList.contains('sidebar-collapsed');
  }

  function tell() {
    var toggle = find('#sidebar-toggle');
    if (toggle) toggle.setAttribute('aria-expanded', String(isOpen()));
  }

  function setOpen(open) {
    if (narrow.matches) {
      root.classList.toggle('sidebar-open', open);
    } else {
      root.classList.toggle('sidebar-collapsed', !open);
      try {
        localStorage.setItem('sidebar-collapsed', String(!open));
      } catch (e) {
        // Not remembered, then.
      }
    }
    tell();
  }

  function say(text) {
    var status = find('.side-panel__status');
    if (!status) return;
    status.textContent = text;
    clearTimeout(say.timer);
    say.timer = setTimeout(function () { status.textContent = ''; }, 8000);
  }

  // Absolute, because a page may have a <base>.
  function call(method, path, body) {
    return fetch(new URL(path, location.origin), {
      method: method,
      credentials: 'same-origin',
      headers: body ? { 'Content-Type': 'application/json', Accept: 'application/json' } : { Accept: 'application/json' },
      body: body && JSON.stringify(body)
    });
  }

  function complaint(status) {
    if (status === 404) return 'The theme is not kept yet: your account is still being set up.';
    if (status === 401) return 'You are signed out. Sign in again to keep the theme.';
    return 'The theme could not be kept. It holds for this page.';
  }

  function toggleTheme() {
    var theme = root.getAttribute('data-theme') === 'dark' ? 'light' : 'dark';
    root.setAttribute('data-theme', theme);
    say('');
    call('PUT', '/codex/api/my/settings', { theme_preference: theme })
      .then(function (answer) {
        if (!answer.ok) return say(complaint(answer.status));
        return call('POST', '/api/invalidate-cache');
      })
      .catch(function () { say(complaint(0)); });
  }

  document.addEventListener('click', function (event) {
    var target = event.target instanceof Element ? event.target : null;
    if (!target) return;
    if (target.closest('#side-panel #sidebar-toggle')) {
      setOpen(!isOpen());
    } else if (target.closest('#side-panel #theme-toggle-btn')) {
      toggleTheme();
    } else if (target.closest('#side-panel .side-panel__skip')) {
      // A <base> would lead the link elsewhere.
      var content = document.getElementById('hivematrix-content');
      if (content) {
        event.preventDefault();
        location.hash = 'hivematrix-content';
      }
    } else if (narrow.matches && isOpen() && !target.closest('#side-panel')) {
      setOpen(false);
    }
  });

  document.addEventListener('keydown', function (event) {
    if (event.key === 'Escape' && narrow.matches && isOpen()) {
      setOpen(false);
      var toggle = find('#sidebar-toggle');
      if (toggle) toggle.focus();
    }
  });

  if (narrow.addEventListener) narrow.addEventListener('change', tell);
  // Another tab changed the panel.
  addEventListener('storage', function (event) {
    if (event.key === 'sidebar-collapsed') {
      root.classList.toggle('sidebar-collapsed', event.newValue === 'true');
      tell();
    }
  });
  tell();
})();
