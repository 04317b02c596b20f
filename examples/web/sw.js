// The service worker: it keeps the page's own files, so that the page opens without a network. Where there is one, each
// file comes from there, so that no old version gets stuck. It touches no request of the API, nor does it keep answers.

const { scope } = registration;
/** The names of files, in the page's own folder. No path of the API, which may have the same origin, ends like that. */
const FILE = /^([\w-]+\.(js|css|svg|webmanifest))?$/;

/** Returns the URL without filters and views. */
const keyOf = ({ url }) => url.replace(/(index\.html)?([?#].*)?$/, '');

async function answer(request) {
  const cache = await caches.open(scope);
  try {
    // The browser's own cache may have files of several versions.
    const response = await fetch(request, { cache: 'no-cache' });
    const copy = response.clone();
    // A body that breaks off is no answer either.
    await response.clone().blob();
    if (response.ok) await cache.put(keyOf(request), copy).catch(() => {});
    return response;
  } catch (error) {
    const kept = await cache.match(keyOf(request));
    if (!kept) throw error;
    return kept;
  }
}

/** Keeps a file, and the files that it names. */
async function keep(name, known = new Set()) {
  known.add(name);
  const text = await (await answer(new Request(name))).text();
  const references = text.matchAll(/(?:src=|href=|from |import )["'](?:\.\/)?([\w-]+\.\w+)/g);
  const names = Array.from(references, ([, each]) => each);
  await Promise.all(names.filter((each) => !known.has(each)).map((each) => keep(each, known)));
}

addEventListener('install', (event) => event.waitUntil(keep('./').then(() => skipWaiting())));
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
addEventListener('fetch', (event) => {
  const { request } = event;
  const isFile = request.url.startsWith(scope) && FILE.test(keyOf(request).slice(scope.length));
  if (isFile && request.method === 'GET') event.respondWith(answer(request));
});
