// The filters and the order of the list. They are in the URL: a reload, a bookmark and the Back button keep them.

import { $ } from './dom.js';
import { changedValues, valuesOf } from './forms.js';

export const filters = $('#filters');

// A browser may have filled them in again after a reload.
filters.reset();
/** The values without any filter. */
const NONE = valuesOf(filters);

// Filters are always visible where there is room, as in board.css.
const hasRoom = matchMedia('(min-width: 48rem)');
const unfold = () => { $('details', filters).open = hasRoom.matches; };
hasRoom.addEventListener('change', unfold);
unfold();

/** Takes over the filters of the URL. Returns true if they have changed. */
export function readFilters() {
  const before = valuesOf(filters);
  const query = new URLSearchParams(location.search);
  for (const [name, none] of Object.entries(NONE)) {
    const control = filters.elements[name];
    control.value = query.get(name) ?? none;
    // A list has no such option.
    if (control.selectedIndex === -1) control.value = none;
  }
  return changedValues(valuesOf(filters), before) !== null;
}
readFilters();

export function isFiltered() {
  const { search, tag, completed, priority } = valuesOf(filters);
  return Boolean(search || tag || completed || priority);
}

export function filterByTag(tag) {
  filters.elements.tag.value = tag;
  filters.requestSubmit();
  $('#active-filters [data-filter=tag]').focus();
}

/** Writes the filters into the URL, and shows a button for each one that is active, which clears it. */
export function showActiveFilters() {
  const query = new URLSearchParams(changedValues(valuesOf(filters), NONE) ?? {});
  history.replaceState(null, '', `${location.pathname}${query.size ? `?${query}` : ''}${location.hash}`);
  const active = ['tag', 'completed', 'priority'].map((name) => filters.elements[name]).filter(({ value }) => value);
  $('#active-filters').replaceChildren(...active.map(createButton));
}

function createButton(control) {
  const text = control.selectedOptions?.[0].textContent ?? control.value;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'tag';
  // With a name, it would be a control of the form beside the filter itself.
  button.dataset.filter = control.name;
  button.textContent = `${text} ×`;
  button.dir = 'auto';
  button.ariaLabel = `Clear the filter ${control.ariaLabel}: ${text}`;
  button.addEventListener('click', () => {
    control.value = '';
    filters.requestSubmit();
    $('#board-heading').focus();
  });
  return button;
}
