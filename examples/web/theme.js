// The theme. This is no module: it runs before anything is drawn, so that no other theme is seen first.

(() => {
  const KEY = 'todo-theme';
  const scheme = document.querySelector('meta[name=color-scheme]');
  /** If the browser forbids localStorage, a choice lasts as long as the page. */
  let store = {};
  try {
    store = localStorage;
  } catch { /* forbidden */ }
  scheme.content = store[KEY] ?? scheme.content;
  addEventListener('DOMContentLoaded', () => {
    const select = document.querySelector('#theme');
    select.value = scheme.content;
    select.addEventListener('change', () => {
      scheme.content = select.value;
      store[KEY] = select.value;
    });
  });
})();
