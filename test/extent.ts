/** How much of the long tests is run: a part on every change, all of it by `npm run check:all`, which sets LUO_INSPECT_TESTS=all. */
export const ALL = process.env.LUO_INSPECT_TESTS === 'all';

/** Of cases that are alike: one in `step` on a change, every one in check:all. */
export const some = <T>(cases: readonly T[], step: number): readonly T[] => (ALL ? cases : cases.filter((_, index) => index % step === 0));

/** A count of runs: what a change is tested with, and what check:all takes. */
export const extent = (usual: number, all: number): number => (ALL ? all : usual);
