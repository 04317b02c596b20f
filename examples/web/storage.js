// What the browser stores for the page, unless it forbids that.

/** Returns the result of `use`, or null where storage is forbidden or full. */
export function storage(use, name = 'localStorage') {
  try {
    return use(globalThis[name]);
  } catch {
    return null;
  }
}
