// SPDX-License-Identifier: Apache-2.0
// Before anything is drawn: the theme that was chosen here, so that the page never flashes.
(() => {
  try {
    const theme = localStorage.getItem('bailiwick-theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // A browser that keeps nothing gets the system's theme.
  }
})();
