// The page's client of the API. The sign-in can end at any time, so it is an event of the window.

import { createApi } from './api.js';
import { $ } from './dom.js';

export const API_URL = $('meta[name=api-url]').content;

export const api = createApi(API_URL, {
  onSignedOut: (error) => dispatchEvent(new CustomEvent('signed-out', { detail: error })),
  onOtherTab: () => dispatchEvent(new Event('other-tab')),
});
