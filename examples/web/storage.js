// The storage of the browser, which may forbid it.

/** Returns the result of `use`, or null where storage is forbidden or full. */
export function storage(use, name = 'localStorage') {
  try {
    return use(globalThis[name]);
  } catch {
    return null;
  }
}
