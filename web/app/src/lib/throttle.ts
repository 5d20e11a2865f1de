/** Calls soon, and again after a pause at the earliest. */
export function throttled(ms: number, call: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = -Infinity;
  return {
    call() {
      timer ??= setTimeout(
        () => {
          timer = undefined;
          last = Date.now();
          call();
        },
        Math.max(100, last + ms - Date.now()),
      );
    },
    stop: () => clearTimeout(timer),
  };
}
