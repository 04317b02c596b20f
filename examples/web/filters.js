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
  $('#clear-filters').focus();
}
