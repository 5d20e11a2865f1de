/** Makes of `call` a function whose calls join the one that is under way, whatever their arguments. */
export function singleFlight<Arguments extends unknown[], Result>(
  call: (...given: Arguments) => Promise<Result>,
): (...given: Arguments) => Promise<Result> {
  let flight: Promise<Result> | null = null;
  return (...given) => {
    if (flight) return flight;
    const mine = call(...given).finally(() => {
      if (flight === mine) flight = null;
    });
    flight = mine;
    return mine;
  };
}
