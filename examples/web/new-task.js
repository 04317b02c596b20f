// The form for a new task, and what is read in its title.

import { $, setStatus } from './dom.js';
import { onSubmit, valuesOf } from './forms.js';
import { create } from './outbox.js';
import { describe, read } from './quick-add.js';

const form = $('#new-task');

onSubmit(form, (values) => {
  form.elements.title.focus();
  form.reset();
  create(read(values, new Date()));
});

/** Says what was read, before it is sent. */
function showRead() {
  const now = new Date();
  setStatus($('.read', form), describe(read(valuesOf(form), now), now));
}

for (const event of ['input', 'filled']) form.addEventListener(event, showRead);
