// Runs before the first paint, so that the page does not jump: the panel's remembered state, and the
// system's light or dark preference where the user has not chosen.
(function () {
  'use strict';
  var root = document.documentElement;
  try {
    if (localStorage.getItem('sidebar-collapsed') === 'true') root.classList.add('sidebar-collapsed');
  } catch (e) {
    // Storage may be forbidden; then the panel starts open.
  }
  if (root.hasAttribute('data-theme-default') && matchMedia('(prefers-color-scheme: dark)').matches) {
    root.setAttribute('data-theme', 'dark');
  }
})();
