// The filters and the order of the list.

import { $ } from './dom.js';
import { valuesOf } from './forms.js';

export const filters = $('#filters');

// Filters are always visible where there is room, as in style.css.
const hasRoom = matchMedia('(min-width: 40rem)');
const unfold = () => { $('details', filters).open = hasRoom.matches; };
hasRoom.addEventListener('change', unfold);
unfold();

export function isFiltered() {
  const { search, tag, completed, priority } = valuesOf(filters);
  return Boolean(search || tag || completed || priority);
}

export function filterByTag(tag) {
  filters.elements.tag.value = tag;
  filters.requestSubmit();
  (hasRoom.matches ? $('#clear-filters') : $('#active-filters [data-filter=tag]')).focus();
}

/** Shows a button for each active filter, which clears it. On a phone the filters themselves are folded away. */
export function showActiveFilters() {
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
  button.ariaLabel = `Clear the filter ${control.ariaLabel}: ${text}`;
  button.addEventListener('click', () => {
    control.value = '';
    filters.requestSubmit();
    $('#board-heading').focus();
  });
  return button;
}
